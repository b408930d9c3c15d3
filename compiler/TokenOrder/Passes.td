// Passes that choose the order of rows and keep watch over it.
#ifndef MOM_TOKEN_ORDER_PASSES
#define MOM_TOKEN_ORDER_PASSES

include "mlir/Pass/PassBase.td"

def AssignOrderPass : Pass<"mom-assign-order", "::mlir::ModuleOp"> {
  let summary = "token rows have an order, and every op gets the order it needs";
  let description = [{
    Order `modality`: token rows lie sorted by modality from the first gather to
    the loss, so that each routed product reads one contiguous group of rows a
    modality; what the data brings by position is reordered once, and rows that
    go back to a caller are reordered at the end. Order `position`: rows stay as
    they came, and each op that needs groups gets a `mom.reorder` before and
    after. `auto` is `modality` where any op needs groups, else `position`.
  }];
  let options = [Option<"order", "order", "std::string", "\"auto\"",
                        "auto, modality or position">];
}

def VerifyOrderPass : Pass<"mom-verify-order", "::mlir::ModuleOp"> {
  let summary = "the program is unchanged; orders that do not fit are errors";
  let description = [{
    Runs after every pass between `ordered` and the emitters: an op with a route
    has its rows in that route's order, and an op that is indifferent has all
    its token rows in one order.
  }];
}

#endif
