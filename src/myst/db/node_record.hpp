// Where a full node's relay can be reached, as a record of the database (docs/records.md, kind 10510).
#pragma once

#include <string>
#include <vector>

#include "myst/base/rng.hpp"
#include "myst/codec/event.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/db/relay_url.hpp"

namespace myst::db {

inline constexpr std::size_t kMaxNodeRelays = 8;
inline constexpr std::size_t kMaxNodeRelayUrl = 256;  ///< bytes

/// What a full node says of itself. The author's word only.
struct NodeRecord {
    std::vector<RelayUrl> relays;    ///< 1 … 8, each once
    std::string version;             ///< of the program, 1 … 32 printable ASCII characters
    std::vector<std::string> roles;  ///< 1 … 8, each 1 … 16 of a-z and '-'
    UnixTime published{};
    UnixTime expires{};  ///< at most a day later
    bool operator==(const NodeRecord&) const = default;
};

/// The record without author and signature. invalid_argument if it breaks the limits that readers set.
[[nodiscard]] Result<codec::Event> make_node_record(const NodeRecord& record);
/// Reads a record whose signature was verified. invalid_data with what is wrong with it.
[[nodiscard]] Result<NodeRecord> read_node_record(const codec::Event& event);

}  // namespace myst::db
