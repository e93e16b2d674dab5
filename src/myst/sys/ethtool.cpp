#include "myst/sys/ethtool.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::sys {
namespace {

constexpr std::size_t kMaxFeatures = 1024;

/// Structures that end in a flexible array, in storage of the right size and alignment.
template <class Head>
class Block {
public:
    explicit Block(std::size_t tail) : words_((sizeof(Head) + tail + 7) / 8) {}
    Head& head() { return *reinterpret_cast<Head*>(words_.data()); }
    std::uint8_t* tail() { return reinterpret_cast<std::uint8_t*>(words_.data()) + sizeof(Head); }

private:
    std::vector<std::uint64_t> words_;
};

Result<> control(int fd, const std::string& name, void* command) {
    ifreq request{};
    if (name.size() >= sizeof(request.ifr_name)) return fail(ErrorCode::invalid_argument, "interface name too long");
    std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
    request.ifr_data = static_cast<char*>(command);
    // A positive answer says that some features cannot be changed on this device.
    if (::ioctl(fd, SIOCETHTOOL, &request) < 0) return fail_errno("set features of interface " + name, errno);
    return {};
}

Result<std::vector<std::string>> feature_names(int fd, const std::string& name) {
    Block<ethtool_sset_info> info(sizeof(std::uint32_t));
    info.head().cmd = ETHTOOL_GSSET_INFO;
    info.head().sset_mask = 1ULL << ETH_SS_FEATURES;
    if (auto done = control(fd, name, &info.head()); !done) return forward_error(done);
    std::uint32_t count = 0;
    std::memcpy(&count, info.tail(), sizeof(count));
    if (count == 0 || count > kMaxFeatures) return fail(ErrorCode::io, "interface " + name + " lists no features");
    Block<ethtool_gstrings> strings(std::size_t{count} * ETH_GSTRING_LEN);
    strings.head().cmd = ETHTOOL_GSTRINGS;
    strings.head().string_set = ETH_SS_FEATURES;
    strings.head().len = count;
    if (auto done = control(fd, name, &strings.head()); !done) return forward_error(done);
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto* text = reinterpret_cast<const char*>(strings.tail()) + std::size_t{i} * ETH_GSTRING_LEN;
        names.emplace_back(text, ::strnlen(text, ETH_GSTRING_LEN));
    }
    return names;
}

bool merges_packets(std::string_view feature) {
    constexpr std::string_view kWords[] = {"segmentation", "gso", "gro", "lro"};
    for (const auto word : kWords) {
        if (feature.find(word) != std::string_view::npos) return true;
    }
    return false;
}

}  // namespace

Result<> disable_segmentation_offload(const std::string& interface_name) {
    const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return fail_errno("open a socket", errno);
    auto names = feature_names(fd.get(), interface_name);
    if (!names) return forward_error(names);
    const auto words = (names->size() + 31) / 32;
    Block<ethtool_sfeatures> change(words * sizeof(ethtool_set_features_block));
    change.head().cmd = ETHTOOL_SFEATURES;
    change.head().size = static_cast<std::uint32_t>(words);
    std::vector<ethtool_set_features_block> blocks(words);
    for (std::size_t i = 0; i < names->size(); ++i) {
        if (merges_packets((*names)[i])) blocks[i / 32].valid |= 1U << (i % 32);
    }
    std::memcpy(change.tail(), blocks.data(), words * sizeof(blocks[0]));
    return control(fd.get(), interface_name, &change.head());
}

}  // namespace myst::sys
