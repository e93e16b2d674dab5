// Carries out the commands of tools/network.py: publishes proposals at many nodes, and watches where they arrive.
#pragma once

#include <map>

#include <boost/json.hpp>

#include "node_link.hpp"
#include "offers.hpp"

namespace myst::bench {

/// Control thread. Every command is a JSON object with the member "do", and so is its answer.
///
/// | do | members | answer |
/// |---|---|---|
/// | connect | nodes, seconds | ms |
/// | publish | nodes, new, renewed, per_second; kill_after, pids | acknowledged, refused, forgotten |
/// | wait | nodes, seconds | complete, ms, missing |
/// | times | nodes | p50_ms … of the records published since the last `times` |
/// | survivors | nodes | records acknowledged before the kill that no node, or not every node, has |
/// | compare | nodes | for each node records, missing, extra, digest |
class Conductor {
public:
    Conductor(asio::any_io_executor executor, Rng& rng, std::vector<db::RelayUrl> nodes);

    [[nodiscard]] Task<boost::json::object> carry_out(boost::json::object command);
    [[nodiscard]] Task<> join();

private:
    using Nodes = std::vector<std::size_t>;
    [[nodiscard]] Task<boost::json::object> connect(Nodes nodes, seconds patience);
    [[nodiscard]] Task<boost::json::object> publish(boost::json::object command);
    [[nodiscard]] Task<boost::json::object> wait(Nodes nodes, seconds patience);
    [[nodiscard]] Task<boost::json::object> compare(Nodes nodes);
    [[nodiscard]] boost::json::object times(const Nodes& nodes);
    [[nodiscard]] boost::json::object survivors(const Nodes& nodes) const;
    void send_one(std::size_t node, bool renewed);
    void kill(const boost::json::array& pids);
    [[nodiscard]] std::size_t missing(const Nodes& nodes) const;

    asio::any_io_executor executor_;
    Rng& rng_;
    Offers offers_;
    std::vector<std::unique_ptr<NodeLink>> links_;
    EventSignal changed_;
    std::size_t answered_ = 0;
    std::size_t refused_ = 0;
    std::string last_refusal_;
    std::optional<MonotonicTime> killed_at_;
};

}  // namespace myst::bench
