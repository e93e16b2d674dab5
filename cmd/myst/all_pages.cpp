#include "all_pages.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "reply_values.hpp"
#include "request.hpp"

namespace myst::console {
namespace {

constexpr int kMostPages = 1000;

}  // namespace

Task<Outcome<Reply>> read_all_pages(Options options, ApiClient& api) {
    boost::json::array all;
    for (int page = 0; page < kMostPages; ++page) {
        auto request = request_of(options);
        if (!request) co_return tl::unexpected<Failure>(std::move(request).error());
        auto reply = co_await api.call(std::move(request->method), std::move(request->path), std::move(request->body),
                                       request->timeout);
        if (!reply) co_return reply;
        for (const auto& each : items_at(reply->body, "proposals")) all.push_back(each);
        if (at(reply->body, "next").is_null()) {
            reply->body.as_object()["proposals"] = std::move(all);
            reply->text = boost::json::serialize(reply->body);
            co_return reply;
        }
        options.cursor = text_at(reply->body, "next");
    }
    co_return give_up(Exit::failure, Error{ErrorCode::limit_exceeded, "there are too many pages", "narrow the filter"});
}

}  // namespace myst::console
