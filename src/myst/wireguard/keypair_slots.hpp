// Which of a peer's sessions does what.
#pragma once

#include "myst/wireguard/index_table.hpp"
#include "myst/wireguard/keypair.hpp"

namespace myst::wireguard {

/// The sessions of one peer (paper, sections 6.1 to 6.3). A keypair that falls out is retired and its index freed. One
/// thread.
class KeypairSlots {
public:
    explicit KeypairSlots(IndexTable& indexes) : indexes_(indexes) {}

    /// The keypair that sends, if any; its age is the caller's to judge.
    [[nodiscard]] const KeypairPtr& current() const { return current_; }
    [[nodiscard]] const KeypairPtr& previous() const { return previous_; }
    [[nodiscard]] const KeypairPtr& next() const { return next_; }

    /// A session of our initiation: sends from now on.
    void add_as_initiator(KeypairPtr keypair, MonotonicTime now);
    /// A session of the peer's initiation: sends when the peer has used it.
    void add_as_responder(KeypairPtr keypair, MonotonicTime now);
    /// Called when something authentic came under this keypair. True: it was the unconfirmed one and now sends.
    [[nodiscard]] bool confirm(const Keypair& used, MonotonicTime now);
    void clear(MonotonicTime now);

private:
    void replace(KeypairPtr& slot, KeypairPtr keypair, MonotonicTime now);

    IndexTable& indexes_;
    KeypairPtr previous_;
    KeypairPtr current_;
    KeypairPtr next_;
};

}  // namespace myst::wireguard
