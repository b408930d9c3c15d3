// What streams carry from one run of an entry to the next: two places each, which are read
// and written in turn.
#include "runtime/Session.h"

namespace momrt {

void Session::placeState(size_t at) {
  for (Buffer &place : states[at].places) {
    const char *before = place.data();
    grow(place, bytesOf(table().states()[at], capacities), "states of streams");
    if (place.data() != before)
      where->fill(place.data(), 0, place.bytes());
  }
  placeStates();
}

void Session::placeStates() {
  addresses.states.clear();
  addresses.nextStates.clear();
  for (const State &state : states) {
    addresses.states.push_back(state.places[turn].data());
    addresses.nextStates.push_back(state.places[1 - turn].data());
  }
}

void Session::turnStates() {
  turn = 1 - turn;
  placeStates();
}

void Session::clearStates() {
  for (State &state : states)
    for (Buffer &place : state.places)
      if (place.data())
        where->fill(place.data(), 0, place.bytes());
}

bool Session::writesStates(const momrt_entry &entry) const {
  return !states.empty() && table().uses(entry, MOMRT_SPACE_NEXT_STATES);
}

} // namespace momrt
