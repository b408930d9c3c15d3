// Ids drawn from logits: of all, of the first ones, by share, of allowed ones only.
// RUN: mom-compare %s --compiled --tokens=40,1,0,300
// RUN: mom-compare %s --compiled --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --cpu=x86-64-v3 --seed=9
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=7
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=3 --seed=8

!place = tensor<?x3xi32, #mom.rows<token>>
!one = tensor<?x1xi32, #mom.rows<token>>

func.func @draw_all(%batch: !mom.batch, %x: tensor<?x301xf32, #mom.rows<token>>, %at: !place {mom.limit = 1000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[1.5, 1.0]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[7, -5, 0]> : tensor<3xi32>},
    %groups: tensor<301xi32> {mom.values = dense<2> : tensor<301xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x301xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<301xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}

func.func @draw_first(%batch: !mom.batch, %x: tensor<?x64xf32, #mom.rows<token>>, %at: !place {mom.limit = 1000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[1.0, 1.0]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[7, 0, 5]> : tensor<3xi32>},
    %groups: tensor<64xi32> {mom.values = dense<0> : tensor<64xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x64xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<64xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}

func.func @draw_likeliest(%batch: !mom.batch, %x: tensor<?x33xf32, #mom.rows<token>>,
    %at: !place {mom.limit = 1000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[1.0, 1.0]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[7, 0, 1]> : tensor<3xi32>},
    %groups: tensor<33xi32> {mom.values = dense<0> : tensor<33xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x33xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<33xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}

// By share, after the first 40.
func.func @draw_share(%batch: !mom.batch, %x: tensor<?x128xf32, #mom.rows<token>>,
    %at: !place {mom.limit = 1000000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[0.7, 0.6]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[-1, -1, 40]> : tensor<3xi32>},
    %groups: tensor<128xi32> {mom.values = dense<1> : tensor<128xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x128xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<128xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}

// Some may not be drawn; one id alone; one is nearly sure.
func.func @draw_allowed(%batch: !mom.batch, %x: tensor<?x6xf32, #mom.rows<token>>,
    %at: !place {mom.limit = 1000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[0.3, 0.95]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[1, 2, 0]> : tensor<3xi32>},
    %groups: tensor<6xi32> {mom.values = dense<[-1, 3, -1, 0, 1, -1]> : tensor<6xi32>})
    -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x6xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<6xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}

func.func @draw_one(%batch: !mom.batch, %x: tensor<?x1xf32, #mom.rows<token>>, %at: !place {mom.limit = 1000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[0.3, 0.95]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[1, 2, 0]> : tensor<3xi32>},
    %groups: tensor<1xi32> {mom.values = dense<4> : tensor<1xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x1xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<1xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}

func.func @draw_cold(%batch: !mom.batch, %x: tensor<?x17xf32, #mom.rows<token>>, %at: !place {mom.limit = 1000 : i64},
    %limits: tensor<2xf32> {mom.values = dense<[4000.0, 1.0]> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[1, 2, 0]> : tensor<3xi32>},
    %groups: tensor<17xi32> {mom.values = dense<4> : tensor<17xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : tensor<?x17xf32, #mom.rows<token>>, !place, tensor<2xf32>, tensor<3xi32>,
        tensor<17xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}
