#include "myst/ports/chain.hpp"

#include "myst/base/check.hpp"

namespace myst::ports {

std::string_view to_string(TxKind kind) {
    switch (kind) {
        case TxKind::deposit: return "deposit";
        case TxKind::set_owner: return "set-owner";
        case TxKind::exit: return "exit";
        case TxKind::withdraw: return "withdraw";
        case TxKind::approve: return "approve";
        case TxKind::register_provider: return "register";
        case TxKind::settle: return "settle";
        case TxKind::request_release: return "request-release";
        case TxKind::release: return "release";
        case TxKind::request_unregister: return "request-unregister";
        case TxKind::unregister: return "unregister";
    }
    CHECK(false);
    return {};
}

Task<Result<PayeeStates>> ChainReader::payees(std::vector<Address> addresses) {
    PayeeStates states;
    for (const auto& address : addresses) {
        if (states.contains(address)) continue;
        auto entry = co_await provider(address);
        if (!entry) co_return forward_error(entry);
        states.emplace(address, PayeeState{*entry});
    }
    co_return states;
}

Task<Result<SalesVolumes>> ChainReader::volumes(std::vector<SalesKey>) {
    co_return fail(ErrorCode::failed_precondition, "without an index of the chain nobody can tell who has paid whom",
                   "run a full node");
}

}  // namespace myst::ports
