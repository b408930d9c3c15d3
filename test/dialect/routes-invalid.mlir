// RUN: mom-opt %s --split-input-file --verify-diagnostics

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 1 by "e">>
func.func @plan_c1(%s: tensor<?x3xf32, #mom.rows<token>>) {
  // expected-error@+1 {{expected at most 32 groups and 4 offsets, one more than channels of scores, but got 3}}
  %offsets, %row, %copy, %choice = mom.plan %s : tensor<?x3xf32, #mom.rows<token>> -> tensor<3xi64>, !i, !c, !i
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 1 by "e">>
func.func @plan_c1_many(%s: tensor<?x33xf32, #mom.rows<token>>) {
  // expected-error@+1 {{expected at most 32 groups}}
  %offsets, %row, %copy, %choice = mom.plan %s : tensor<?x33xf32, #mom.rows<token>> -> tensor<34xi64>, !i, !c, !i
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 2 by "e">>
func.func @plan_c2(%s: tensor<?x1xf32, #mom.rows<token>>) {
  // expected-error@+1 {{expected from 1 to 1 choices, but got 2}}
  %offsets, %row, %copy, %choice:2 = mom.plan %s : tensor<?x1xf32, #mom.rows<token>> -> tensor<2xi64>, !i, !c, !i, !i
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 1 by "e">>
func.func @plan_c2_rows(%s: tensor<?x3xf32, #mom.rows<token>>) {
  // expected-error@+1 {{expected choices of one channel with the rows of}}
  %offsets, %row, %copy, %choice = mom.plan %s : tensor<?x3xf32, #mom.rows<token>> -> tensor<4xi64>, !i, !c, tensor<?x1xi32, #mom.rows<token by "M">>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 2 by "e">>
func.func @plan_c3(%s: tensor<?x3xf32, #mom.rows<token>>) {
  // expected-error@+1 {{expected 2 channels of row}}
  %offsets, %row, %copy, %choice:2 = mom.plan %s : tensor<?x3xf32, #mom.rows<token>> -> tensor<4xi64>, !i, !c, !i, !i
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 2 by "e">>
func.func @plan_c3_copy(%s: tensor<?x3xf32, #mom.rows<token>>) {
  // expected-error@+1 {{expected one channel of 1 copies of each token as copy}}
  %offsets, %row, %copy, %choice = mom.plan %s : tensor<?x3xf32, #mom.rows<token>> -> tensor<4xi64>, !i, !c, !i
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 1 by "e">>
func.func @computed_route_c1(%offsets: tensor<4xi64>, %row: !i, %copy: !c) {
  // expected-error@+1 {{expected 3 offsets of 2 groups, but got 4}}
  %route = mom.computed_route %offsets, %row, %copy : tensor<4xi64>, !i, !c -> !mom.route<"e", 2 of 1>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
!c = tensor<?x1xi32, #mom.rows<copy of 1 by "f">>
func.func @computed_route_c2(%offsets: tensor<4xi64>, %row: !i, %copy: !c) {
  // expected-error@+1 {{expected the rows of 1 copies of each token by "e"}}
  %route = mom.computed_route %offsets, %row, %copy : tensor<4xi64>, !i, !c -> !mom.route<"e", 3 of 1>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @dispatch_c1(%x: !x, %route: !mom.route<"e", 3 of 2>) {
  // expected-error@+1 {{expected 2 parts, one a copy, but got 1}}
  %y = mom.dispatch %x for %route : !mom.route<"e", 3 of 2>, !x -> tensor<?x2xf32, #mom.rows<copy of 2 by "e">>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<document>>
func.func @dispatch_c2(%x: !x, %route: !mom.route<"e", 3 of 1>) {
  // expected-error@+1 {{expected parts of one type, with token rows}}
  %y = mom.dispatch %x for %route : !mom.route<"e", 3 of 1>, !x -> tensor<?x2xf32, #mom.rows<copy of 1 by "e">>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @dispatch_c2_copies(%x: !x, %route: !mom.route<"e", 3 of 1>) {
  // expected-error@+1 {{expected 2 channels of 1 copies by "e"}}
  %y = mom.dispatch %x for %route : !mom.route<"e", 3 of 1>, !x -> tensor<?x2xf32, #mom.rows<copy of 1 by "f">>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!c = tensor<?x2xf32, #mom.rows<copy of 2 by "e">>
func.func @retrieve_c1(%y: !c, %route: !mom.route<"e", 3 of 2>) {
  // expected-error@+1 {{expected 2 parts, one a copy, but got 1}}
  %x = mom.retrieve %y for %route : !mom.route<"e", 3 of 2>, !c -> !x
  return
}

// -----

!x = tensor<?x3xf32, #mom.rows<token>>
!c = tensor<?x2xf32, #mom.rows<copy of 1 by "e">>
func.func @retrieve_c2(%y: !c, %route: !mom.route<"e", 3 of 1>) {
  // expected-error@+1 {{expected 3 channels of 1 copies by "e"}}
  %x = mom.retrieve %y for %route : !mom.route<"e", 3 of 1>, !c -> !x
  return
}

// -----

// expected-error@+1 {{expected the route that copies are sent by}}
func.func @copies_without_route(%x: tensor<?x2xf32, #mom.rows<copy of 1>>) {
  return
}

// -----

// expected-error@+1 {{expected a number with, and only with, the spaces 'chunk' and 'copy'}}
func.func @copies_without_number(%x: tensor<?x2xf32, #mom.rows<copy by "e">>) {
  return
}

// -----

!x = tensor<?x8xf32, #mom.rows<token>>
func.func @retrieve_nothing(%x: !x, %route: !mom.route<"e", 2>) {
  // expected-error@+1 {{parts, one a copy, but got 0}}
  "mom.retrieve"(%x, %route) : (!x, !mom.route<"e", 2>) -> ()
  return
}
