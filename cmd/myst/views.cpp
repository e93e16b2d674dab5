#include "views.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "format.hpp"
#include "myst/base/printable.hpp"
#include "reply_values.hpp"

namespace myst::console {
namespace {

namespace json = boost::json;

std::string capitalised(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

/// The state word, alone on its line.
std::string state_line(const json::value& connection) {
    const auto state = text_at(connection, "state");
    const bool is_over = state == "disconnected" || state == "blocked";
    const auto colour = state == "connected" ? Colour::good : is_over ? Colour::bad : Colour::waiting;
    return coloured(capitalised(state), colour) + "\n";
}

std::string price_of(const json::value& proposal) {
    const auto& tariff = at(proposal, "tariff");
    return fmt::format("{}/GiB, {}/h", amount_at(tariff, "per_gib"), amount_at(tariff, "per_hour"));
}

std::string bytes_left(const json::value& connection) {
    if (at(connection, "bytes_left").is_null()) return "data is free";
    return format_bytes(number_at(connection, "bytes_left")) + " left";
}

std::string traffic_of(const json::value& traffic) {
    return fmt::format("{} down, {} up", format_bytes(number_at(traffic, "down")),
                       format_bytes(number_at(traffic, "up")));
}

std::string proposal_lines(const json::value& proposal) {
    if (proposal.is_null()) return "";
    std::string text =
        labelled("Provider", fmt::format("{} ({})", text_at(proposal, "name"), text_at(proposal, "provider")));
    text += labelled("Country", text_at(proposal, "country"));
    text += labelled("Service", text_at(proposal, "service"));
    return text + labelled("Price", price_of(proposal));
}

std::string payment_lines(const json::value& connection) {
    std::string text = labelled("Traffic", traffic_of(at(connection, "traffic")));
    text += labelled("Rate", format_rate(number_at(connection, "bytes_per_second")));
    text += labelled("Paid", amount_at(connection, "paid"));
    text +=
        labelled("Deposit left", fmt::format("{} ({})", amount_at(connection, "deposit_left"), bytes_left(connection)));
    return text + labelled("Connected for", format_duration(number_at(connection, "connected_for_s")));
}

std::string connection_details(const json::value& connection) {
    std::string text = labelled("Session", text_at(connection, "session"));
    text += labelled("Interface", text_at(connection, "interface"));
    text += labelled("Provider's count", traffic_of(at(connection, "traffic_peer")));
    text += labelled("Acknowledged", amount_at(connection, "acknowledged"));
    text += labelled("Vouchers", fmt::format("{}", number_at(connection, "vouchers")));
    return text + labelled("Connect time", fmt::format("{} ms", number_at(connection, "connect_time_ms")));
}

std::string connection_view(const json::value& connection, bool verbose) {
    const auto state = text_at(connection, "state");
    std::string text = state_line(connection);
    if (const auto step = text_at(connection, "step"); !step.empty() && state != "connected")
        text += labelled("Step", step);
    if (const auto error = text_at(connection, "last_error"); !error.empty()) text += labelled("Last error", error);
    if (state == "disconnected") return text;
    text += proposal_lines(at(connection, "proposal"));
    if (!at(connection, "session").is_null()) {
        text += payment_lines(connection);
        if (verbose) text += connection_details(connection);
    }
    return text;
}

std::string chain_line(const json::value& chain) {
    if (auto error = text_at(chain, "error"); !error.empty()) return error;
    const auto& head = at(chain, "head");
    const auto id = number_at(chain, "chain_id");
    if (head.is_null()) return fmt::format("no block yet (chain {})", id);
    return fmt::format("block {} (chain {})", number_at(head, "number"), id);
}

/// Whether the node asks this Ethereum endpoint.
bool is_usable(const json::value& endpoint) {
    const auto state = text_at(endpoint, "state");
    return state == "ok" || state == "slow" || state == "disagrees";
}

/// What is wrong with index or transactions; nothing if all is well.
std::string chain_problems(const json::value& chain) {
    std::string text;
    const auto& index = at(chain, "index");
    if (const auto problem = index.is_null() ? "" : text_at(index, "problem"); !problem.empty())
        text += labelled("Chain index", fmt::format("{}: {}", text_at(index, "state"), problem));
    const auto& outbox = at(chain, "outbox");
    if (const auto problem = outbox.is_null() ? "" : text_at(outbox, "problem"); !problem.empty())
        text += labelled("Transactions", fmt::format("{}{}", flag_at(outbox, "halted") ? "halted: " : "", problem));
    const auto& endpoints = items_at(chain, "endpoints");
    const auto usable = std::count_if(endpoints.begin(), endpoints.end(), is_usable);
    const auto contradicted = std::count_if(endpoints.begin(), endpoints.end(),
                                            [](auto& each) { return text_at(each, "state") == "disagrees"; });
    if (contradicted == 0 && usable == static_cast<std::ptrdiff_t>(endpoints.size())) return text;
    auto line = fmt::format("{} of {} usable, {} must agree", usable, endpoints.size(), number_at(chain, "quorum"));
    if (contradicted > 0) line += fmt::format(", {} contradicted by others", contradicted);
    return text + labelled("Ethereum endpoints", line);
}

std::string block_or_none(const json::value& object, std::string_view name) {
    return at(object, name).is_null() ? "none" : fmt::format("{}", number_at(object, name));
}

std::string chain_details(const json::value& chain) {
    std::string text;
    if (const auto& index = at(chain, "index"); !index.is_null()) {
        text += labelled("Chain index",
                         fmt::format("{} at block {} of {}, {} behind, {} ranges audited", text_at(index, "state"),
                                     block_or_none(index, "head"), number_at(index, "endpoint_head"),
                                     number_at(index, "lag"), number_at(index, "audited")));
    }
    if (const auto& outbox = at(chain, "outbox"); !outbox.is_null())
        text += labelled("Open transactions", fmt::format("{}", number_at(outbox, "open")));
    const auto& endpoints = items_at(chain, "endpoints");
    if (endpoints.empty()) return text;
    text += labelled("Ethereum endpoints", fmt::format("{} must agree", number_at(chain, "quorum")));
    constexpr auto kRow = "    {:<32}{:<13}{:>10}{:>6}{:>9}{:>9}{:>9}{:>9}  {}\n";
    text += fmt::format(fmt::runtime(kRow), "ENDPOINT", "STATE", "BLOCK", "LAG", "LATENCY", "CALLS", "FAILED",
                        "DIFFERED", "LAST ERROR");
    for (const auto& each : endpoints) {
        text += fmt::format(fmt::runtime(kRow), text_at(each, "name"), text_at(each, "state"),
                            block_or_none(each, "head"), number_at(each, "lag"),
                            fmt::format("{} ms", number_at(each, "latency_ms")), number_at(each, "calls"),
                            number_at(each, "failures"), number_at(each, "disagreements"), text_at(each, "last_error"));
    }
    return text;
}

std::string provider_word(const json::value& provider) {
    if (flag_at(provider, "running"))
        return fmt::format("on offer, {} open sessions", number_at(provider, "open_sessions"));
    const auto step = text_at(provider, "step");
    return step.empty() ? "off" : step;
}

/// "connected; from a record, network 93.184.0.0/16, 1234 records in common".
std::string relay_state(const json::value& relay) {
    std::string text = "connected";
    if (!flag_at(relay, "connected")) text = "not connected: " + text_at(relay, "last_error");
    const auto origin = text_at(relay, "origin");
    if (origin == "record") text += "; from a record";
    if (origin == "registry") text += "; from a record of a registered provider";
    if (origin == "configuration") text += "; configured";
    const auto group = text_at(relay, "group");
    if (!group.empty()) text += ", network " + group;
    if (!at(relay, "in_common").is_null()) text += fmt::format(", {} records in common", number_at(relay, "in_common"));
    return text;
}

std::string node_details(const json::value& body) {
    std::string roles;
    for (const auto& role : items_at(body, "roles")) {
        if (role.is_string()) roles += (roles.empty() ? "" : ", ") + printable(role.get_string().c_str());
    }
    std::string text = labelled("Version", text_at(body, "version"));
    text += labelled("Node key", text_at(body, "node_key"));
    text += labelled("Roles", roles);
    text += labelled("Lanes contract", text_at(at(body, "chain"), "lanes"));
    text += labelled("Token contract", text_at(at(body, "chain"), "token"));
    for (const auto& relay : items_at(body, "relays")) {
        text += labelled("Relay", fmt::format("{} {}", text_at(relay, "url"), relay_state(relay)));
    }
    return text;
}

std::string status_view(const json::value& body, bool verbose) {
    const auto& relays = items_at(body, "relays");
    const auto connected =
        std::count_if(relays.begin(), relays.end(), [](auto& relay) { return flag_at(relay, "connected"); });
    std::string text = connection_view(at(body, "connection"), verbose);
    text += labelled("Chain", chain_line(at(body, "chain"))) + chain_problems(at(body, "chain"));
    text += labelled("Relays", fmt::format("{} of {} connected", connected, relays.size()));
    text += labelled("Provider role", provider_word(at(body, "provider")));
    return verbose ? text + node_details(body) + chain_details(at(body, "chain")) : text;
}

std::string wallet_lines(const json::value& body) {
    return labelled("Wallet", text_at(body, "address")) + labelled("Payment signer", text_at(body, "signer"));
}

std::string balance_view(const json::value& body) {
    const auto& deposit = at(body, "deposit");
    std::string text = "Wallet\n" + wallet_lines(body);
    text += labelled("Ether", format_ether(text_at(body, "ether")));
    text += labelled("Tokens", amount_at(body, "tokens"));
    text += labelled("Deposit, free", amount_at(deposit, "free"));
    if (at(deposit, "exit_at").is_null()) return text;
    return text + labelled("Deposit, leaving", fmt::format("{}, payable from {}", amount_at(deposit, "exiting"),
                                                           text_at(deposit, "exit_at")));
}

/// Of what takes two calls: announced by the first, done by the second.
std::string two_step_view(const json::value& body, std::string_view flag, std::string_view done,
                          std::string_view amount, std::string_view command) {
    const bool is_done = flag_at(body, flag);
    std::string text = fmt::format("{}\n", is_done ? done : "Announced");
    text += labelled(amount == "stake" ? "Stake" : "Amount", amount_at(body, amount));
    text += labelled("Transaction", text_at(body, "transaction"));
    if (is_done) return text;
    return text + labelled("Payable from", text_at(body, "available_at")) +
           labelled("Next", fmt::format("run \"myst {}\" again after that time", command));
}

std::string reservations_view(const json::value& body) {
    const auto& reservations = items_at(body, "reservations");
    if (reservations.empty()) return "Nothing is set aside.\n";
    std::vector<Row> rows{{"PROVIDER", "RESERVED", "STILL OWED", "COMES BACK"}};
    for (const auto& each : reservations) {
        const bool is_kept = at(each, "available_at").is_null();
        rows.push_back({text_at(each, "provider"), amount_at(each, "reserved"), amount_at(each, "promised"),
                        is_kept ? "(not requested)" : "from " + text_at(each, "available_at")});
    }
    return format_table(rows);
}

std::string number_or_dash(const json::value& object, std::string_view name) {
    return at(object, name).is_null() ? "-" : fmt::format("{}", number_at(object, name));
}

std::string latency_of(const json::value& proposal) {
    return at(proposal, "latency_ms").is_null() ? "-" : fmt::format("{} ms", number_at(proposal, "latency_ms"));
}

std::string proposals_view(const json::value& body) {
    const auto& proposals = items_at(body, "proposals");
    if (proposals.empty()) return "No offer matches.\n";
    std::vector<Row> rows{{"COUNTRY", "CITY", "PER GiB", "PER HOUR", "STAKE", "REPUTATION", "SETTLED", "PAYERS",
                           "LATENCY", "SERVICE", "NAME", "PROVIDER"}};
    for (const auto& proposal : proposals) {
        const auto& tariff = at(proposal, "tariff");
        const auto& sales = at(proposal, "sales");
        rows.push_back({text_at(proposal, "country"), text_at(proposal, "city"), amount_at(tariff, "per_gib"),
                        amount_at(tariff, "per_hour"), amount_at(proposal, "stake"),
                        number_or_dash(proposal, "reputation"), sales.is_null() ? "-" : amount_at(sales, "volume"),
                        sales.is_null() ? "-" : number_or_dash(sales, "payers"), latency_of(proposal),
                        text_at(proposal, "service"), text_at(proposal, "name"), text_at(proposal, "provider")});
    }
    auto text = format_table(rows);
    if (!at(body, "next").is_null()) text += "There are more: repeat with --cursor " + text_at(body, "next") + "\n";
    return text;
}

std::string provider_view(const json::value& body) {
    const bool running = flag_at(body, "running");
    std::string text = coloured(running ? "On offer" : "Off", running ? Colour::good : Colour::bad) + "\n";
    if (const auto step = text_at(body, "step"); !step.empty()) text += labelled("Step", step);
    text += proposal_lines(at(body, "proposal"));
    text += labelled("Registered", flag_at(body, "registered") ? "yes" : "no");
    text += labelled("Open sessions", fmt::format("{}", number_at(body, "open_sessions")));
    text += labelled("Earned", amount_at(body, "earned"));
    return text + labelled("Not yet settled", amount_at(body, "unsettled"));
}

std::string sessions_view(const json::value& body) {
    const auto& sessions = items_at(body, "sessions");
    if (sessions.empty()) return "No sessions.\n";
    std::vector<Row> rows{{"SESSION", "STARTED", "DOWN", "UP", "PAID", "STATE"}};
    for (const auto& session : sessions) {
        const auto& traffic = at(session, "traffic");
        const auto state = at(session, "ended").is_null()
                               ? (flag_at(session, "gate_open") ? "open" : "waiting for payment")
                               : "ended: " + text_at(session, "end_reason");
        rows.push_back({text_at(session, "id"), text_at(session, "started"), format_bytes(number_at(traffic, "down")),
                        format_bytes(number_at(traffic, "up")), amount_at(session, "paid"), state});
    }
    return format_table(rows);
}

std::string policy_lines(const json::value& policy) {
    const auto overhead = number_at(policy, "overhead_percent");
    const auto max_age = number_at(policy, "max_age_s");
    std::string text = labelled("A million gas", amount_at(policy, "million_gas"));
    text += labelled("Settles above", amount_at(policy, "trigger") + " on a payer's signature");
    text += labelled("Or when gas is at most",
                     overhead == 0 ? std::string("(off)") : fmt::format("{} % of the sum", overhead));
    text += labelled("Or after", max_age == 0 ? std::string("(off)") : format_duration(max_age));
    text += labelled("Or at a session's end", flag_at(policy, "at_session_end") ? "yes" : "no");
    text += labelled("Or before money leaves", format_duration(number_at(policy, "margin_s")));
    return text + labelled("Never less than", amount_at(policy, "minimum"));
}

std::string payer_rows(const json::value& body) {
    const auto& payers = items_at(body, "payers");
    if (payers.empty()) return "";
    std::vector<Row> rows{{"PAYER", "UNSETTLED", "RESERVED", "ON SIGNATURE", "UNPAID", "STATE"}};
    for (const auto& payer : payers) {
        auto state = std::string(flag_at(payer, "in_session") ? "in session" : "no session");
        if (!at(payer, "deadline").is_null()) state += ", leaves at " + text_at(payer, "deadline");
        if (const auto reason = text_at(payer, "settles_because"); reason != "none") state += ", due: " + reason;
        rows.push_back({text_at(payer, "signer"), amount_at(payer, "unsettled"), amount_at(payer, "reserved"),
                        amount_at(payer, "on_signature"), amount_at(payer, "unpaid"), std::move(state)});
    }
    auto text = format_table(rows);
    const auto hidden = number_at(body, "payer_count") - std::min(number_at(body, "payer_count"), payers.size());
    return hidden == 0 ? text : text + fmt::format("and {} more\n", hidden);
}

std::string revoke_view(const json::value& body) {
    std::string text = "Revoked\n" + labelled("Node key", text_at(body, "node_key"));
    for (const auto& relay : items_at(body, "told")) {
        if (relay.is_string()) text += labelled("Told", printable(relay.get_string().c_str()));
    }
    return text + labelled("Next", "stop the daemon, move keys/node.json away, start it: it makes a new key");
}

std::string limits_view(const json::value& body) {
    std::string text = "Limits\n";
    text += labelled("Credit of a payer", fmt::format("{} ({} and 30 s)", amount_at(body, "credit"),
                                                      format_bytes(number_at(body, "credit_bytes"))));
    text += labelled("On its signature", "at most " + amount_at(body, "risk_limit"));
    text += labelled("Deposit it must have", amount_at(body, "min_free"));
    text += labelled("Outage tolerated", format_duration(number_at(body, "outage_tolerated_s")));
    text += "Settlement\n" + policy_lines(at(body, "policy")) + "Now\n";
    text += labelled("Not yet settled", amount_at(body, "unsettled"));
    text += labelled("Reserved on chain", amount_at(body, "reserved"));
    text += labelled("On signatures", amount_at(body, "on_signature"));
    text += labelled("Used, not paid", amount_at(body, "unpaid"));
    text += labelled("Gas of settling it", amount_at(body, "settlement_cost"));
    const bool none = at(body, "next_deadline").is_null();
    text += labelled("Next deadline", none ? std::string("(none)") : text_at(body, "next_deadline"));
    if (const auto failure = text_at(body, "last_failure"); !failure.empty()) text += labelled("Last failure", failure);
    return text + payer_rows(body);
}

std::string settle_view(const json::value& body) {
    if (number_at(body, "vouchers") == 0) return "Nothing to settle.\n";
    std::string text = "Settled\n";
    text += labelled("Vouchers", fmt::format("{}", number_at(body, "vouchers")));
    text += labelled("Amount", amount_at(body, "amount"));
    text += labelled("Network fee", amount_at(body, "fee"));
    text += labelled("Gas", fmt::format("{}", number_at(body, "gas_used")));
    for (const auto& hash : items_at(body, "transactions")) {
        if (hash.is_string()) text += labelled("Transaction", printable(hash.get_string().c_str()));
    }
    return text;
}

}  // namespace

std::string view_of(const Options& options, const json::value& body) {
    switch (options.verb) {
        case Verb::status: return status_view(body, options.verbose);
        case Verb::wallet_create:
            return "Created\n" + wallet_lines(body) +
                   labelled("Next", "send ether and tokens to the wallet, then \"myst wallet deposit AMOUNT\"");
        case Verb::wallet_address: return "Wallet\n" + wallet_lines(body);
        case Verb::wallet_balance: return balance_view(body);
        case Verb::wallet_deposit:
            return "Deposited\n" + labelled("Amount", amount_at(body, "deposited")) +
                   labelled("Deposit, free", amount_at(body, "free")) +
                   labelled("Transaction", text_at(body, "transaction"));
        case Verb::wallet_withdraw: return two_step_view(body, "paid_out", "Paid out", "amount", "wallet withdraw");
        case Verb::wallet_reservations: return reservations_view(body);
        case Verb::wallet_release:
            return two_step_view(body, "released", "Released", "amount", "wallet release " + options.provider);
        case Verb::proposals: return proposals_view(body);
        case Verb::connect:
        case Verb::disconnect: return connection_view(body, false);
        case Verb::provider_start:
        case Verb::provider_stop:
        case Verb::provider_status: return provider_view(body);
        case Verb::provider_sessions: return sessions_view(body);
        case Verb::provider_limits: return limits_view(body);
        case Verb::provider_settle: return settle_view(body);
        case Verb::provider_unregister: return two_step_view(body, "left", "Left", "stake", "provider unregister");
        case Verb::provider_revoke: return revoke_view(body);
    }
    return "";
}

std::string view_connected(const json::value& connection) {
    return connection_view(connection, false) +
           labelled("Connect time", fmt::format("{} ms", number_at(connection, "connect_time_ms")));
}

std::string offer_line(const json::value& offer) {
    const auto& tariff = at(offer, "tariff");
    return fmt::format("{}  {}  {}/GiB  {}/h  stake {}  {}  {}  {}", text_at(offer, "country"), text_at(offer, "city"),
                       amount_at(tariff, "per_gib"), amount_at(tariff, "per_hour"), amount_at(offer, "stake"),
                       text_at(offer, "service"), text_at(offer, "name"), text_at(offer, "provider"));
}

std::string watch_line(const json::value& connection) {
    const auto& traffic = at(connection, "traffic");
    const auto paid = Amount::parse(text_at(connection, "paid"));
    const auto state = text_at(connection, "state");
    return fmt::format("{}{}  ↓ {}  ↑ {}  paid {}  {}", state == "connected" ? "" : state + "  ",
                       format_rate(number_at(connection, "bytes_per_second")), format_bytes(number_at(traffic, "down")),
                       format_bytes(number_at(traffic, "up")), paid ? format_short_amount(*paid) : "?",
                       bytes_left(connection));
}

}  // namespace myst::console
