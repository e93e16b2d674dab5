#include "myst/chain/event_apply.hpp"

namespace myst::chain {
namespace {

tl::unexpected<Error> contradiction(std::string_view event) {
    return fail(ErrorCode::invalid_data, std::string(event) + " contradicts the events before it",
                "the endpoint has left out logs: use another one");
}

/// One overload for each event. Failures of the database pass through.
struct Apply {
    ChainTables& tables;

    Result<> operator()(const Deposited& event) const {
        auto account = tables.account(event.signer);
        if (!account) return forward_error(account);
        if (account->free.plus(event.amount) != event.free) return contradiction("Deposited");
        account->free = event.free;
        return tables.put_account(event.signer, *account);
    }

    Result<> operator()(const OwnerSet& event) const { return tables.put_owner(event.signer, event.owner); }

    Result<> operator()(const Settled& event) const {
        Uint256 grown = 0;
        for (const auto& item : event.items) {
            auto added = settle(event.provider, item);
            if (!added) return forward_error(added);
            grown += Uint256(added->units());
        }
        // Neither part exceeds the sum, so that adding them cannot overflow.
        if (event.amount > grown || event.fee > grown || event.amount + event.fee != grown) {
            return contradiction("Settled");
        }
        return {};
    }

    Result<> operator()(const ReleaseRequested& event) const {
        auto lane = tables.lane(event.signer, event.provider);
        if (!lane) return forward_error(lane);
        lane->release_at = event.release_at;
        return tables.put_lane(event.signer, event.provider, *lane);
    }

    Result<> operator()(const Released& event) const {
        auto lane = tables.lane(event.signer, event.provider);
        if (!lane) return forward_error(lane);
        auto account = tables.account(event.signer);
        if (!account) return forward_error(account);
        const auto free = account->free.plus(event.refunded);
        if (lane->epoch + 1 != event.new_epoch || lane->cap.minus(lane->paid) != event.refunded || !free) {
            return contradiction("Released");
        }
        account->free = *free;
        if (auto done = tables.put_account(event.signer, *account); !done) return done;
        return tables.put_lane(event.signer, event.provider, {{}, {}, {}, event.new_epoch});
    }

    Result<> operator()(const ExitRequested& event) const {
        auto account = tables.account(event.signer);
        if (!account) return forward_error(account);
        const auto moved = event.exiting.minus(account->exiting);
        const auto free = moved ? account->free.minus(*moved) : std::nullopt;
        if (!free) return contradiction("ExitRequested");
        return tables.put_account(event.signer, {*free, event.exiting, event.exit_at});
    }

    Result<> operator()(const AccountExitingUsed& event) const {
        auto account = tables.account(event.signer);
        if (!account) return forward_error(account);
        if (event.exiting > account->exiting) return contradiction("AccountExitingUsed");
        account->exiting = event.exiting;
        return tables.put_account(event.signer, *account);
    }

    Result<> operator()(const Withdrawn& event) const {
        auto account = tables.account(event.signer);
        if (!account) return forward_error(account);
        if (account->exiting != event.amount) return contradiction("Withdrawn");
        return tables.put_account(event.signer, {account->free, {}, {}});
    }

    Result<> operator()(const Registered& event) const {
        auto provider = tables.provider(event.provider);
        if (!provider) return forward_error(provider);
        if (event.stake < provider->stake) return contradiction("Registered");
        return tables.put_provider(event.provider, {event.node_key, event.stake, provider->leave_at});
    }

    Result<> operator()(const UnregisterRequested& event) const {
        auto provider = tables.provider(event.provider);
        if (!provider) return forward_error(provider);
        if (provider->node_key.is_zero()) return contradiction("UnregisterRequested");
        provider->leave_at = event.leave_at;
        return tables.put_provider(event.provider, *provider);
    }

    Result<> operator()(const Unregistered& event) const {
        auto provider = tables.provider(event.provider);
        if (!provider) return forward_error(provider);
        if (provider->stake != event.stake) return contradiction("Unregistered");
        return tables.put_provider(event.provider, {});
    }

    /// Applies one entry of a settlement and counts it as a sale if it brought money; returns how much.
    Result<Amount> settle(const Address& provider, const SettledItem& item) const {
        auto lane = tables.lane(item.signer, provider);
        if (!lane) return forward_error(lane);
        auto account = tables.account(item.signer);
        if (!account) return forward_error(account);
        const auto paid = item.lane.paid.minus(lane->paid);
        const auto reserved = item.lane.cap.minus(lane->cap);
        const auto free = account->free.minus(item.from_free);
        const bool same_epoch = item.lane.epoch == lane->epoch && item.lane.release_at == lane->release_at;
        if (!paid || !reserved || !free || *reserved < item.from_free || !same_epoch) return contradiction("Settled");
        account->free = *free;
        if (auto done = tables.put_account(item.signer, *account); !done) return forward_error(done);
        if (auto done = tables.put_lane(item.signer, provider, item.lane); !done) return forward_error(done);
        if (paid->is_zero()) return *paid;
        if (auto done = tables.add_sale(provider, item.signer, *paid); !done) return forward_error(done);
        return *paid;
    }
};

}  // namespace

Result<> apply_event(ChainTables& tables, const LanesEvent& event) {
    return std::visit(Apply{tables}, event);
}

}  // namespace myst::chain
