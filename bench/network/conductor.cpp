#include "conductor.hpp"

#include <signal.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "myst/crypto/sha256.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::bench {
namespace {

namespace json = boost::json;
using std::chrono::duration_cast;

constexpr milliseconds kTick{5};
constexpr milliseconds kAnswerPatience{20'000};

MonotonicTime steady_now() {
    return std::chrono::steady_clock::now();
}

std::int64_t ms_since(MonotonicTime start) {
    return duration_cast<milliseconds>(steady_now() - start).count();
}

std::size_t number_in(const json::object& command, const char* name) {
    const auto* value = command.if_contains(name);
    return value == nullptr ? 0 : value->to_number<std::size_t>();
}

std::vector<std::size_t> nodes_in(const json::object& command) {
    std::vector<std::size_t> nodes;
    for (const auto& value : command.at("nodes").as_array()) nodes.push_back(value.to_number<std::size_t>());
    return nodes;
}

/// SHA-256 over the sorted ids: equal sets have equal digests.
std::string digest_of(const std::set<Hash32>& ids) {
    Bytes all;
    for (const auto& id : ids) all.insert(all.end(), id.bytes.begin(), id.bytes.end());
    return crypto::sha256(all).hex();
}

std::uint32_t percentile(std::vector<std::uint32_t>& values, std::size_t percent) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1, values.size() * percent / 100)];
}

}  // namespace

Conductor::Conductor(asio::any_io_executor executor, Rng& rng, std::vector<db::RelayUrl> nodes)
    : executor_(executor), rng_(rng), offers_(rng, nodes.size()), changed_(executor) {
    for (std::size_t node = 0; node < nodes.size(); ++node) {
        NodeLink::Handlers handlers;
        handlers.on_record = [this, node](const Hash32& id) {
            offers_.arrived(node, id);
            changed_.notify();
        };
        handlers.on_answer = [this](const Hash32& id, bool accepted, std::string message) {
            ++answered_;
            if (accepted || message.starts_with("duplicate:")) {
                offers_.acknowledged(id);
            } else {
                ++refused_;
                last_refusal_ = std::move(message);
            }
            changed_.notify();
        };
        handlers.on_lost = [this] { changed_.notify(); };
        links_.push_back(std::make_unique<NodeLink>(executor, std::move(nodes[node]), std::move(handlers)));
    }
}

Task<json::object> Conductor::carry_out(json::object command) {
    const std::string what(command.at("do").as_string());
    const seconds patience(static_cast<std::int64_t>(number_in(command, "seconds")));
    if (what == "publish") co_return co_await publish(std::move(command));
    auto nodes = nodes_in(command);
    if (what == "connect") co_return co_await connect(std::move(nodes), patience);
    if (what == "wait") co_return co_await wait(std::move(nodes), patience);
    if (what == "compare") co_return co_await compare(std::move(nodes));
    if (what == "times") co_return times(nodes);
    if (what == "survivors") co_return survivors(nodes);
    json::object answer;
    answer["error"] = "unknown command " + what;
    co_return answer;
}

Task<json::object> Conductor::connect(Nodes nodes, seconds patience) {
    const auto start = steady_now();
    json::object answer;
    for (const auto node : nodes) {
        offers_.reset(node);
        for (;;) {
            auto connected = co_await links_[node]->connect();
            if (connected) break;
            if (steady_now() - start >= patience) {
                answer["error"] = connected.error().message;
                co_return answer;
            }
            co_await sleep_for(milliseconds(100));
        }
        if (offers_.size() == 0) continue;
        auto difference = co_await links_[node]->compare(offers_.expected());
        if (difference) offers_.compared(node, difference->have);
    }
    answer["ms"] = ms_since(start);
    co_return answer;
}

void Conductor::send_one(std::size_t node, bool renewed) {
    std::array<std::uint8_t, 4> bytes{};
    rng_.fill(bytes);
    const std::size_t random = std::size_t{bytes[0]} | std::size_t{bytes[1]} << 8U | std::size_t{bytes[2]} << 16U;
    auto version = renewed ? offers_.renew(random % offers_.size()) : offers_.make_new();
    offers_.sent(version.offer);
    links_[node]->publish(version.json);
}

void Conductor::kill(const json::array& pids) {
    killed_at_ = steady_now();
    for (const auto& pid : pids) ::kill(pid.to_number<pid_t>(), SIGKILL);
}

Task<json::object> Conductor::publish(json::object command) {
    const auto nodes = nodes_in(command);
    const auto fresh = number_in(command, "new");
    const auto total = fresh + number_in(command, "renewed");
    const auto per_second = std::max<std::size_t>(number_in(command, "per_second"), 1);
    const auto kill_after = number_in(command, "kill_after");
    answered_ = refused_ = 0;
    const auto start = steady_now();
    for (std::size_t sent = 0, turn = 0; sent < total;) {
        const auto due = static_cast<std::size_t>(ms_since(start)) * per_second / 1000;
        while (sent < std::min(due, total)) {
            const auto node = nodes[turn++ % nodes.size()];
            if (!links_[node]->connected()) {
                if (turn % nodes.size() == 0) co_await sleep_for(kTick);
                continue;
            }
            // New ones and new versions alternate as long as there are both.
            send_one(node, sent >= 2 * fresh || (sent % 2 == 1 && total > fresh && sent < 2 * (total - fresh)));
            if (++sent == kill_after) kill(command.at("pids").as_array());
        }
        co_await sleep_for(kTick);
    }
    while (answered_ < total && steady_now() - start < seconds(total / per_second) + kAnswerPatience) {
        std::ignore = co_await changed_.wait(milliseconds(100));
        if (kill_after > 0 && ms_since(start) > 1000 * static_cast<std::int64_t>(total / per_second) + 2000) break;
    }
    json::object answer{{"acknowledged", answered_ - refused_}, {"refused", refused_}, {"ms", ms_since(start)}};
    if (!last_refusal_.empty()) answer["refusal"] = std::exchange(last_refusal_, {});
    answer["forgotten"] = offers_.forget_unacknowledged();
    co_return answer;
}

std::size_t Conductor::missing(const Nodes& nodes) const {
    std::size_t sum = 0;
    for (const auto node : nodes) sum += offers_.missing(node);
    return sum;
}

Task<json::object> Conductor::wait(Nodes nodes, seconds patience) {
    const auto start = steady_now();
    while (missing(nodes) > 0 && steady_now() - start < patience) {
        std::ignore = co_await changed_.wait(milliseconds(50));
    }
    json::object answer{{"complete", missing(nodes) == 0}, {"ms", ms_since(start)}, {"missing", missing(nodes)}};
    json::array lost;
    for (const auto node : nodes) {
        if (!links_[node]->connected()) lost.emplace_back(node);
    }
    answer["not_connected"] = std::move(lost);
    co_return answer;
}

json::object Conductor::times(const Nodes& nodes) {
    auto times = offers_.times(nodes);
    offers_.restart_times();
    json::object answer{{"records", times.all.size()}};
    answer["p50_ms"] = percentile(times.all, 50);
    answer["p99_ms"] = percentile(times.all, 99);
    answer["max_ms"] = percentile(times.all, 100);
    answer["each_p50_ms"] = percentile(times.each, 50);
    answer["each_p99_ms"] = percentile(times.each, 99);
    return answer;
}

json::object Conductor::survivors(const Nodes& nodes) const {
    json::object answer;
    if (!killed_at_) return answer;
    std::map<std::size_t, std::size_t> lacking;  // offer → nodes without it
    for (const auto node : nodes) {
        for (const auto offer : offers_.missing_since(node, *killed_at_)) ++lacking[offer];
    }
    json::array ages;
    for (const auto& [offer, count] : lacking) {
        if (count == nodes.size()) {
            ages.emplace_back(duration_cast<milliseconds>(*killed_at_ - offers_.acknowledged_at(offer)).count());
        }
    }
    answer["nowhere"] = ages.size();
    answer["nowhere_age_ms"] = std::move(ages);
    answer["not_everywhere"] = lacking.size();
    return answer;
}

Task<json::object> Conductor::compare(Nodes nodes) {
    json::object answer;
    const auto expected = offers_.expected();
    for (const auto node : nodes) {
        auto difference = co_await links_[node]->compare(expected);
        json::object found;
        if (difference) {
            offers_.compared(node, difference->have);
            std::set<Hash32> ids;
            for (const auto& item : expected) ids.insert(item.id);
            for (const auto& id : difference->have) ids.erase(id);
            ids.insert(difference->need.begin(), difference->need.end());
            found = {{"records", ids.size()},
                     {"missing", difference->have.size()},
                     {"extra", difference->need.size()},
                     {"digest", digest_of(ids)}};
        } else {
            found["error"] = difference.error().message;
        }
        answer[std::to_string(node)] = std::move(found);
    }
    co_return answer;
}

Task<> Conductor::join() {
    for (const auto& link : links_) co_await link->join();
}

}  // namespace myst::bench
