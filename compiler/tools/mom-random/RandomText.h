// Random legal model texts, from a seed.
//
// What a person could write: modalities or none, settings, a batch of several fields, layers
// that call layers, repeat, convolve and scan in both directions, losses under conditions,
// metrics by modality, a train block. Sizes are small and awkward. Numbers stay within
// bounds, so that a text is compared and not merely compiled.
#pragma once

#include <cstdint>
#include <string>

namespace mom::random {

/// The same text for the same seed, everywhere.
std::string makeText(uint64_t seed);

} // namespace mom::random
