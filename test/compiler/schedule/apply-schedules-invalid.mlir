// RUN: not mom-opt %s --mom-apply-schedules 2>&1 | FileCheck %s
// CHECK: f.mom:1:1: error: several kernels compute 'y': name one of 'a', 'b'

// Two kernels compute "y", and neither has its name.
module attributes {mom.schedules = [{name = "f", items = [{kind = "kernel", names = ["y"],
    knobs = [{name = "lanes", value = 4 : i64, place = loc("f.mom":1:1)}], place = loc("f.mom":1:1)}],
    place = loc("f.mom":1:1)}]} {
  func.func @f(%x: tensor<?x1xf32, #mom.rows<token>>)
      -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>) {
    %0 = mom.kernel map "a"(%x) : (tensor<?x1xf32, #mom.rows<token>>) -> tensor<?x1xf32, #mom.rows<token>> {
    ^bb0(%v: tensor<?x1xf32, #mom.rows<token>>):
      %y = mom.silu %v : tensor<?x1xf32, #mom.rows<token>> loc("y")
      mom.yield %y : tensor<?x1xf32, #mom.rows<token>>
    }
    %1 = mom.kernel map "b"(%x) : (tensor<?x1xf32, #mom.rows<token>>) -> tensor<?x1xf32, #mom.rows<token>> {
    ^bb0(%v: tensor<?x1xf32, #mom.rows<token>>):
      %y = mom.silu %v : tensor<?x1xf32, #mom.rows<token>> loc("y")
      mom.yield %y : tensor<?x1xf32, #mom.rows<token>>
    }
    return %0, %1 : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>
  }
}
