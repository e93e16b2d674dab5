#include "myst/node/exit_session.hpp"

#include "myst/node/settlement.hpp"

namespace myst::node {

pay::Coverage coverage_of(const ports::LaneState& lane, const ports::AccountState& account) {
    return {lane.cap, account.free, lane.epoch, is_leaving(lane, account), lane.release_at != UnixTime{}};
}

milliseconds ExitSession::connected(MonotonicTime now) const {
    return opened ? std::chrono::duration_cast<milliseconds>(now - *opened) : milliseconds(0);
}

Amount ExitSession::cost(MonotonicTime now) const {
    return pay::cost_of(payee.terms().tariff, traffic.total(), connected(now));
}

bool ExitSession::is_gate_open(std::uint64_t packet) const {
    return allowance > traffic.total() && allowance - traffic.total() >= packet;
}

ports::SessionRecord ExitSession::record(const Clock& clock, const Address& provider, std::string end_reason) const {
    ports::SessionRecord record;
    record.id = id;
    record.signer = payee.signer();
    record.provider = provider;
    record.peer = consumer;
    record.started = started_at;
    record.ended = end_reason.empty() ? UnixTime{} : clock.unix_now();
    record.bytes_up = traffic.up;
    record.bytes_down = traffic.down;
    record.cost = cost(clock.now());
    record.paid = payee.paid();
    record.vouchers = vouchers;
    record.end_reason = std::move(end_reason);
    return record;
}

ProvidedSession ExitSession::view(const Clock& clock) const {
    ProvidedSession view;
    view.id = id;
    view.signer = payee.signer();
    view.started = started_at;
    view.traffic = traffic;
    view.cost = cost(clock.now());
    view.paid = payee.paid();
    view.vouchers = vouchers;
    view.allowance = allowance;
    view.gate_open = is_gate_open(1);
    return view;
}

ProvidedSession view_of(const ports::SessionRecord& record) {
    ProvidedSession view;
    view.id = record.id;
    view.signer = record.signer;
    view.started = record.started;
    view.ended = record.ended;
    view.traffic = {record.bytes_up, record.bytes_down};
    view.cost = record.cost;
    view.paid = record.paid;
    view.vouchers = record.vouchers;
    view.end_reason = record.end_reason;
    return view;
}

}  // namespace myst::node
