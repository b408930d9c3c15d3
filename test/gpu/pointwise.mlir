// Two pointwise kernels with a bf16 value between them: what carries a launch
// table to a GPU (see pointwise.cpp).
#rows = #mom.rows<token>
module attributes {mom.model = @pointwise} {
  func.func @pointwise(%batch: !mom.batch, %x: tensor<?x40xf32, #rows> {mom.input = "x"},
                       %scale: tensor<40xf32> {mom.input = "scale"})
      -> (tensor<?x40xf32, #rows> {mom.output = "y"}) attributes {mom.entry = "pointwise"} {
    %a = mom.kernel map "a"(%x) : (tensor<?x40xf32, #rows>) -> tensor<?x40xf32, #rows> {
    ^bb0(%x0: tensor<?x40xf32, #rows>):
      %s = mom.silu %x0 : tensor<?x40xf32, #rows>
      mom.yield %s : tensor<?x40xf32, #rows>
    }
    %y = mom.kernel map "y"(%a, %x, %scale)
        : (tensor<?x40xf32, #rows>, tensor<?x40xf32, #rows>, tensor<40xf32>) -> tensor<?x40xf32, #rows> {
    ^bb0(%a0: tensor<?x40xf32, #rows>, %x0: tensor<?x40xf32, #rows>, %w: tensor<40xf32>):
      %b = mom.broadcast %w like %a0 : tensor<40xf32>, tensor<?x40xf32, #rows> -> tensor<?x40xf32, #rows>
      %p = mom.softplus %x0 : tensor<?x40xf32, #rows>
      %m = arith.mulf %a0, %b : tensor<?x40xf32, #rows>
      %r = arith.addf %m, %p : tensor<?x40xf32, #rows>
      mom.yield %r : tensor<?x40xf32, #rows>
    }
    return %y : tensor<?x40xf32, #rows>
  }
}
