// Which payments of a session that this node sells count, and what they change. No input or output.
#pragma once

#include "myst/node/exit_session.hpp"

namespace myst::node {

/// What a payment proves, unless it proves nothing new; why it is refused if it does not count. Credits nothing: the
/// proof has to be on disk first. A tick that fits moves the session's chain on, a wrong one is counted. The signature
/// of the session's last payment is not recovered again.
[[nodiscard]] tl::expected<std::optional<ports::HeldVoucher>, pay::RefuseCode> judge(ExitSession& session,
                                                                                     const pay::Frame& frame,
                                                                                     const codec::LaneDomain& domain,
                                                                                     const Address& payee);

/// A proof that `judge` has returned is on disk and counts from now on, unless more was credited meanwhile.
void credit(ExitSession& session, const ports::HeldVoucher& proof, const codec::LaneDomain& domain);

/// Whether a payment by which the session's total has grown by `gained` is no burden: it brings the price of half the
/// least chunk and a fiftieth of a second, which no honest consumer stays below.
[[nodiscard]] bool is_worth_a_frame(const ExitSession& session, Amount gained);

}  // namespace myst::node
