// The consumer's part of a running session: it watches the tunnel's meter, pays for what is used, and checks what the
// provider reports.
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/lane_funds.hpp"
#include "myst/node/payment_signer.hpp"
#include "myst/node/payment_stream.hpp"
#include "myst/node/rate_meter.hpp"
#include "myst/pay/chunk_policy.hpp"
#include "myst/pay/payer.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::node {

/// What a session needs to begin.
struct PaidSessionSetup {
    SessionAccept accept;
    NodeKey provider;
    pay::PayerTerms terms;
    pay::ChunkTerms chunk;
    LaneFunds funds;
};

/// Where a session stands.
struct PaidSessionProgress {
    ports::TrafficCounters traffic;       ///< own meter, this session
    ports::TrafficCounters traffic_peer;  ///< as last reported by the provider
    Amount paid;
    Amount acknowledged;
    Amount worth;  ///< of `paid`, what arrived: price of the own count, of losses in per cent of it, and of the time
                   ///< served
    Amount left;
    std::uint64_t vouchers = 0;     ///< payments sent, ticks included
    std::uint64_t chunk_bytes = 0;  ///< as chosen now
};

/// One session over an open tunnel. Control thread; `open`, then `run`; after a failed `run`, `open` may be tried
/// again.
class PaidSession {
public:
    PaidSession(Context& context, PaidSessionSetup setup, ports::ClientTunnel& tunnel);

    /// Connects the payment stream, exchanges what both sides remember, pays for the first chunk and waits for its
    /// acknowledgement. invalid_data if more was drawn on the lane than this node or the provider can show a voucher
    /// for.
    [[nodiscard]] Task<Result<>> open();
    /// Pays until `stop` (then success) or failure. unavailable and timeout mean that the provider is gone and a new
    /// session may help; everything else is final.
    [[nodiscard]] Task<Result<>> run();
    /// Makes `run` pay what was used, say good-bye and return.
    void stop();

    [[nodiscard]] const PaidSessionProgress& progress() const { return progress_; }
    /// Where the next session with the same provider goes on.
    [[nodiscard]] LaneFunds funds() const;
    /// The session as the ledger keeps it.
    [[nodiscard]] ports::SessionRecord record(std::string end_reason) const;

    /// Inner IP bytes per second in both directions, over the last two seconds.
    [[nodiscard]] std::uint64_t bytes_per_second() const { return rate_.per_second(context_.clock.now()); }

private:
    [[nodiscard]] Task<Result<>> resume(pay::ResumeFrame held);
    [[nodiscard]] Task<Result<>> pay_until_stopped();
    [[nodiscard]] Task<Result<>> pay_and_check();
    [[nodiscard]] Task<Result<>> pay_ahead(Amount total);
    [[nodiscard]] Task<Result<>> pay_by_voucher(Amount total);
    [[nodiscard]] Task<Result<>> store_and_send(Payment payment);
    [[nodiscard]] Task<Result<>> send_payment(pay::Frame frame);
    [[nodiscard]] Task<> read_answers();
    [[nodiscard]] Task<Result<>> say_goodbye();
    [[nodiscard]] Result<> adopt(const pay::ResumeFrame& held);
    [[nodiscard]] Result<> take_ack(const pay::AckFrame& ack);
    [[nodiscard]] Result<> read_meter();
    /// What a voucher of ours lets the provider draw, and reserve.
    struct Proven {
        Amount total;
        Amount cap;
    };
    /// What the provider holds of us; invalid_data if it is not ours.
    [[nodiscard]] Result<Proven> verify(const pay::ResumeFrame& held) const;
    void choose_chunk();
    [[nodiscard]] milliseconds connected() const;
    [[nodiscard]] std::uint64_t billable() const;
    void update_progress();

    Context& context_;
    PaidSessionSetup setup_;
    ports::ClientTunnel& tunnel_;
    pay::PayerSession payer_;
    pay::ChunkPolicy chunk_;
    PaymentSigner signer_;
    std::optional<PaymentStream> stream_;
    EventSignal changed_;
    std::optional<Error> failure_;  ///< found by the reader
    bool stopping_ = false;
    bool peer_finished_ = false;  ///< the provider answered our good-bye
    ports::TrafficCounters baseline_;
    std::optional<MonotonicTime> started_;
    UnixTime started_at_{};
    std::optional<MonotonicTime> waiting_since_;  ///< oldest payment without an answer
    MonotonicTime last_sent_{};
    MonotonicTime last_growth_{};
    milliseconds served_{};  ///< connected at the last acknowledgement
    std::optional<pay::Frame> last_payment_;
    MonotonicTime chosen_at_{};      ///< when the chunk was chosen last
    std::uint64_t chosen_used_ = 0;  ///< and what was used then
    PaidSessionProgress progress_;
    RateMeter rate_;  ///< of the own meter
};

}  // namespace myst::node
