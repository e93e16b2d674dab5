#include "myst/app/chain_access.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "myst/base/log.hpp"
#include "myst/chain/json_rpc.hpp"
#include "myst/ports/tunnel.hpp"

namespace myst::app {
namespace {

constexpr std::uint64_t kWeiPerGwei = 1'000'000'000;

/// Host and port of a URL: its path or user may be an access key.
std::string name_of(const std::string& url) {
    const auto parsed = boost::urls::parse_uri(url);
    return parsed ? std::string(parsed->encoded_host_and_port()) : std::string("endpoint");
}

std::vector<chain::EndpointPool::Member> endpoints_of(const Config& config, WorkerPool& workers, Rng& rng) {
    std::vector<chain::EndpointPool::Member> members;
    for (const auto& url : config.chain.endpoints) {
        chain::JsonRpcSettings settings;
        settings.url = url;
        settings.mark = ports::kBypassMark;
        if (config.chain.endpoints.size() > 1) settings.retries = 0;  // another endpoint is asked instead
        members.push_back({name_of(url), std::make_unique<chain::JsonRpcClient>(std::move(settings), rng, &workers)});
    }
    return members;
}

chain::EndpointPoolSettings pool_settings(const Config& config) {
    chain::EndpointPoolSettings settings;
    settings.chain_id = config.chain.chain_id;
    if (!config.chain.genesis.is_zero()) settings.genesis = config.chain.genesis;
    settings.quorum =
        config.chain.quorum != 0 ? config.chain.quorum : chain::majority_of(config.chain.endpoints.size());
    settings.head_age = config.chain.poll / 2;
    return settings;
}

ports::ChainIdentity identity_of(const Config& config) {
    return {config.chain.chain_id, config.chain.lanes, config.chain.token};
}

/// Drives the outbox; it keeps itself alive for as long as the task runs.
Task<> run_outbox(std::shared_ptr<chain::TxOutbox> outbox) {
    auto ended = co_await outbox->run();
    if (!ended) log::error("the transaction outbox has halted: {}", ended.error().describe());
}

/// The node owns its sender; the task that drives it shares it.
class SharedSender final : public ports::TxSender {
public:
    explicit SharedSender(std::shared_ptr<chain::TxOutbox> outbox) : outbox_(std::move(outbox)) {}
    [[nodiscard]] Address sender() const override { return outbox_->sender(); }
    [[nodiscard]] Task<Result<ports::TxOutcome>> submit(ports::TxIntent intent) override {
        return outbox_->submit(std::move(intent));
    }
    [[nodiscard]] Task<Result<std::optional<ports::TxIntent>>> open_intent(ports::TxKind kind) override {
        return outbox_->open_intent(kind);
    }

private:
    std::shared_ptr<chain::TxOutbox> outbox_;
};

}  // namespace

ChainAccess::ChainAccess(const Config& config, asio::any_io_executor executor, WorkerPool& workers, Rng& rng,
                         const Clock& clock)
    : config_(config),
      executor_(std::move(executor)),
      workers_(workers),
      clock_(clock),
      endpoints_(pool_settings(config), endpoints_of(config, workers, rng), clock),
      blocks_(endpoints_, config.chain.lanes, &workers_) {
    if (config.chain.mode == ChainMode::light) {
        reader_ = std::make_unique<chain::RpcChain>(identity_of(config), endpoints_);
        return;
    }
    chain::IndexerSettings settings;
    settings.path = config.data_dir + "/chain.db";
    settings.identity = identity_of(config);
    settings.start_block = config.chain.start_block;
    settings.poll = config.chain.poll;
    settings.reorg_limit = config.chain.reorg_limit;
    indexer_ = std::make_unique<chain::Indexer>(std::move(settings), blocks_, workers_);
    auto indexed = std::make_unique<chain::IndexedChain>(*indexer_, endpoints_);
    registry_ = indexed.get();
    reader_ = std::move(indexed);
    chain::LogAuditSettings audit;
    audit.quorum = endpoints_.settings().quorum;
    audit_ = std::make_unique<chain::LogAudit>(audit, *indexer_, auditors(), rng);
}

std::vector<chain::LogAudit::Auditor> ChainAccess::auditors() {
    std::vector<chain::LogAudit::Auditor> list;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        auto blame = [this, i](const std::string& about) {
            endpoints_.member(i).note_disagreement(about, endpoints_.settings().distrust);
        };
        list.push_back({endpoints_.member(i).name(), blocks_.single(i), std::move(blame)});
    }
    return list;
}

Task<Result<>> ChainAccess::open() {
    if (!indexer_) co_return Result<>();
    co_return co_await indexer_->open();
}

void ChainAccess::start(TaskGroup& tasks) {
    if (!indexer_) return;
    tasks.spawn("chain index", follow());
    tasks.spawn("chain audit", audit_->run());
}

Task<> ChainAccess::follow() {
    auto ended = co_await indexer_->run();
    if (!ended) log::error("the chain index has halted: {}", ended.error().describe());
}

Result<std::unique_ptr<ports::TxSender>> ChainAccess::open_sender(const crypto::PrivateKey& wallet, TaskGroup& tasks) {
    chain::OutboxSettings settings;
    settings.path = config_.data_dir + "/outbox.db";
    settings.chain_id = config_.chain.chain_id;
    settings.fees.max_fee_per_gas = Uint256(config_.chain.max_fee_gwei) * kWeiPerGwei;
    settings.fees.max_per_hour = Uint256(config_.chain.max_fees_per_hour.units());
    settings.poll = config_.chain.poll;
    settings.confirmations = config_.chain.confirmations;
    settings.settled_depth = config_.chain.reorg_limit;
    outbox_ =
        std::make_shared<chain::TxOutbox>(std::move(settings), wallet.clone(), endpoints_, workers_, executor_, clock_);
    tasks.spawn("transaction outbox", run_outbox(outbox_));
    return std::make_unique<SharedSender>(outbox_);
}

ports::ChainStatus ChainAccess::status() const {
    const auto text_of = [](const std::optional<Error>& problem) {
        return problem ? problem->describe() : std::string();
    };
    ports::ChainStatus out;
    out.quorum = endpoints_.settings().quorum;
    out.endpoints = endpoints_.status();
    if (indexer_) {
        const auto& status = indexer_->status();
        ports::IndexStatus index;
        index.state = status.state;
        if (status.head) index.head = status.head->number;
        index.endpoint_head = status.endpoint_head;
        const auto reached = index.head.value_or(0);
        index.lag = status.endpoint_head > reached ? status.endpoint_head - reached : 0;
        index.audited = audit_->compared();
        index.problem = text_of(status.problem);
        out.index = std::move(index);
    }
    if (outbox_) {
        const auto& status = outbox_->status();
        out.outbox = ports::OutboxReport{status.halted, status.unfinished, text_of(status.problem)};
    }
    return out;
}

}  // namespace myst::app
