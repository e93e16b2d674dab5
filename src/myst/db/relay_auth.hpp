// Who is at the other end of a relay's connection (NIP-42), and what only he may read.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/filter.hpp"
#include "myst/db/admission.hpp"
#include "myst/db/relay_url.hpp"

namespace myst::db {

/// What a relay asks of its readers.
struct RelayAccess {
    /// How clients reach this relay. Without it nobody can prove anything here: a proof names the relay it is for, so
    /// that another relay cannot use it.
    std::optional<RelayUrl> url;
    bool auth_for_mailboxes = false;  ///< envelopes, too, go to proven recipients only; needs `url`
    /// Whether reading this kind takes a proof.
    [[nodiscard]] bool guards(std::uint32_t kind) const;
};

/// The answer to a relay's challenge.
[[nodiscard]] codec::Event answer_challenge(const RelayUrl& relay, const std::string& challenge,
                                            const crypto::PrivateKey& key, UnixTime now, const Hash32& aux);
/// What is wrong with an answer whose signature is right; none if nothing is.
[[nodiscard]] std::optional<std::string> find_fault(const codec::Event& answer, const RelayUrl& relay,
                                                    std::string_view challenge, UnixTime now);

/// Values of the filters' `p` lists that are keys.
[[nodiscard]] std::set<NodeKey> recipients_in(const std::vector<codec::Filter>& filters);

/// The client of one connection, as far as he is known. Control thread.
class RelayReader {
public:
    /// `access` must outlive it. `challenge`: unpredictable, new for every connection.
    RelayReader(const RelayAccess& access, std::string challenge) : access_(access), challenge_(std::move(challenge)) {}

    /// The first message to the client; empty if the relay asks for nothing.
    [[nodiscard]] std::string greeting() const;
    /// Takes an AUTH message: why it is refused, with prefix; empty if it is accepted. Several keys may be proven.
    [[nodiscard]] std::string prove(const codec::Event& answer, UnixTime now);
    /// Why these filters are refused, with prefix; empty if they are not. A filter that asks for a guarded kind must
    /// name its recipients, and all of them must be proven.
    [[nodiscard]] std::string refusal(const std::vector<codec::Filter>& filters) const;
    /// The same for a set reconciliation, which would tell ids and times of all that a filter matches: it must name
    /// kinds, none of them guarded. `gifts_kept`: whether there can be any such records.
    [[nodiscard]] std::string sync_refusal(const codec::Filter& filter, bool gifts_kept) const;
    /// Whether the client may see a record, whatever its filter.
    [[nodiscard]] bool may_see(const codec::Event& event) const;
    /// The same for a stored record's text.
    [[nodiscard]] bool may_see_text(const std::string& json) const;

private:
    const RelayAccess& access_;
    const std::string challenge_;
    std::set<NodeKey> proven_;
};

}  // namespace myst::db
