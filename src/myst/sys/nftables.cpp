#include "myst/sys/nftables.hpp"

#include <nftables/libnftables.h>

#include <mutex>

namespace myst::sys {
namespace {

constexpr std::size_t kMaxMessage = 500;

std::mutex& library_mutex() {
    static std::mutex mutex;
    return mutex;
}

Result<std::string> run_here(const std::string& commands) {
    const std::lock_guard lock(library_mutex());
    const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> context(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
    if (!context) {
        return fail(ErrorCode::permission_denied, "nftables is not available",
                    "run as root on a kernel with nf_tables");
    }
    nft_ctx_buffer_output(context.get());
    nft_ctx_buffer_error(context.get());
    const int status = nft_run_cmd_from_buffer(context.get(), commands.c_str());
    if (status != 0) {
        const char* text = nft_ctx_get_error_buffer(context.get());
        return fail(ErrorCode::io, "nftables: " + std::string(text != nullptr ? text : "").substr(0, kMaxMessage));
    }
    const char* text = nft_ctx_get_output_buffer(context.get());
    return std::string(text != nullptr ? text : "");
}

}  // namespace

Result<Nftables> Nftables::open(const NetworkNamespace& network) {
    Nftables tables(network);
    if (auto tried = tables.query("list tables"); !tried) return forward_error(tried);
    return tables;
}

Result<> Nftables::apply(const std::string& commands) const {
    auto done = query(commands);
    if (!done) return forward_error(done);
    return {};
}

Result<std::string> Nftables::query(const std::string& commands) const {
    return network_.run([&commands] { return run_here(commands); });
}

Result<> Nftables::delete_table(const std::string& name) const {
    // Declaring the table first makes the deletion succeed whether it exists or not.
    return apply("table inet " + name + "\ndelete table inet " + name + "\n");
}

}  // namespace myst::sys
