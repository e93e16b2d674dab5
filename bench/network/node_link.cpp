#include "node_link.hpp"

#include "myst/db/admission.hpp"
#include "myst/db/relay_message.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::bench {
namespace {

constexpr milliseconds kPatience{20'000};
constexpr std::string_view kSubscription = "live";
constexpr std::string_view kSync = "sync";

/// The id of the event in a message, without parsing the rest.
std::optional<Hash32> id_in(std::string_view text) {
    constexpr std::string_view kMember = R"("id":")";
    const auto place = text.find(kMember);
    if (place == std::string_view::npos) return std::nullopt;
    auto id = Hash32::parse(text.substr(place + kMember.size(), 64));
    if (!id) return std::nullopt;
    return *id;
}

codec::Filter proposals() {
    codec::Filter filter;
    filter.kinds = {db::kProposalKind};
    return filter;
}

}  // namespace

struct NodeLink::Session {
    Session(const asio::any_io_executor& executor, std::unique_ptr<db::WebSocket> made)
        : socket(std::move(made)), outgoing(executor, 100'000, 256 * 1024 * 1024), changed(executor) {}
    std::unique_ptr<db::WebSocket> socket;
    db::OutgoingQueue outgoing;
    EventSignal changed;
    std::optional<Result<Bytes>> answer;  ///< of a comparison
    bool subscribed = false;
    bool lost = false;
    void say(std::string text) { std::ignore = outgoing.push(std::make_shared<const std::string>(std::move(text))); }
};

NodeLink::NodeLink(asio::any_io_executor executor, db::RelayUrl url, Handlers handlers)
    : executor_(executor), url_(std::move(url)), handlers_(std::move(handlers)), tasks_(executor) {}

Task<Result<>> NodeLink::connect() {
    if (session_) end(session_);
    db::WebSocketSettings settings;
    settings.max_message_bytes = 256 * 1024;
    auto connecting = db::connect_web_socket(url_, std::move(settings));
    auto socket = co_await std::move(connecting);
    if (!socket) co_return forward_error(socket);
    auto session = std::make_shared<Session>(executor_, std::move(*socket));
    session_ = session;
    tasks_.spawn("link reader", read_loop(this, session));
    tasks_.spawn("link writer", write_loop(this, session));
    auto filter = proposals();
    filter.limit = 0;
    session->say(db::encode_req(kSubscription, {filter}));
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!session->subscribed && !session->lost && std::chrono::steady_clock::now() < deadline) {
        std::ignore = co_await session->changed.wait(milliseconds(1'000));
    }
    if (session->subscribed) co_return Result<>();
    co_return fail(ErrorCode::unavailable, url_.text() + ": no subscription");
}

void NodeLink::publish(const std::string& json) {
    if (session_) session_->say(db::encode_event(json));
}

Task<Result<Bytes>> NodeLink::ask(std::shared_ptr<Session> session, std::string text) {
    session->answer.reset();
    session->say(std::move(text));
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!session->answer && !session->lost && std::chrono::steady_clock::now() < deadline) {
        std::ignore = co_await session->changed.wait(milliseconds(1'000));
    }
    if (session->answer) co_return std::move(*session->answer);
    co_return fail(ErrorCode::unavailable, url_.text() + ": no answer in a comparison");
}

Task<Result<NodeLink::Difference>> NodeLink::compare(std::vector<db::SyncItem> items) {
    const auto session = session_;
    if (!session) co_return fail(ErrorCode::unavailable, url_.text() + ": not connected");
    const db::SyncSet set(std::move(items));
    Difference difference;
    auto message = db::encode_neg_open(kSync, proposals(), db::sync_open(set));
    for (;;) {
        auto asking = ask(session, std::move(message));
        auto answer = co_await std::move(asking);
        if (!answer) co_return forward_error(answer);
        auto step = db::sync_step(set, *answer);
        if (!step) co_return fail(ErrorCode::invalid_data, std::string(db::to_string(step.error())));
        difference.have.insert(difference.have.end(), step->have.begin(), step->have.end());
        difference.need.insert(difference.need.end(), step->need.begin(), step->need.end());
        if (!step->next) break;
        message = db::encode_neg_message(kSync, *step->next);
    }
    session->say(db::encode_neg_close(kSync));
    co_return difference;
}

Task<> NodeLink::join() {
    if (session_) end(session_);
    co_await tasks_.join();
}

Task<> NodeLink::read_loop(NodeLink* link, std::shared_ptr<Session> session) {
    for (;;) {
        auto text = co_await session->socket->read();
        if (!text) break;
        link->dispatch(*session, *text);
    }
    link->end(session);
}

Task<> NodeLink::write_loop(NodeLink* link, std::shared_ptr<Session> session) {
    for (;;) {
        auto message = co_await session->outgoing.pop();
        if (session->lost) co_return;
        auto written = co_await session->socket->write(std::move(message));
        if (!written) break;
    }
    link->end(session);
}

void NodeLink::end(const std::shared_ptr<Session>& session) {
    if (session->lost) return;
    session->lost = true;
    session->socket->abort();
    session->say("");  // wakes the writer
    session->changed.notify();
    if (session_ == session) session_.reset();
    handlers_.on_lost();
}

void NodeLink::dispatch(Session& session, const std::string& text) {
    if (text.starts_with(R"(["EVENT",)")) {
        if (const auto id = id_in(text)) handlers_.on_record(*id);
        return;
    }
    auto message = db::decode_relay_message(text, {});
    if (!message) return;
    if (auto* ok = std::get_if<db::RelayOk>(&*message)) {
        handlers_.on_answer(ok->id, ok->accepted, std::move(ok->message));
    } else if (std::get_if<db::RelayEose>(&*message) != nullptr) {
        session.subscribed = true;
    } else if (auto* sync = std::get_if<db::NegMessage>(&*message)) {
        session.answer = std::move(sync->message);
    } else if (const auto* error = std::get_if<db::RelayNegError>(&*message)) {
        session.answer = fail(ErrorCode::unavailable, error->message);
    }
    session.changed.notify();
}

}  // namespace myst::bench
