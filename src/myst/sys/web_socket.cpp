#include "myst/base/printable.hpp"
#include "myst/sys/beast_socket.hpp"

namespace myst::sys {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

tl::unexpected<Error> socket_failure(const char* step, const boost::system::error_code& ec,
                                     const websocket::close_reason& reason) {
    if (ec == websocket::error::closed) {
        const auto text = printable({reason.reason.data(), reason.reason.size()});
        return fail(ErrorCode::unavailable,
                    text.empty() ? "the other side closed the connection" : "the other side closed: " + text);
    }
    if (ec == websocket::error::message_too_big || ec == websocket::error::buffer_overflow) {
        return fail(ErrorCode::limit_exceeded, "a message larger than allowed");
    }
    if (ec == beast::error::timeout) return fail(ErrorCode::timeout, std::string(step) + ": the other side is silent");
    return fail(ErrorCode::unavailable, std::string(step) + ": " + ec.message());
}

}  // namespace myst::sys
