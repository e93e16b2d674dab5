// Intel's library, which has hand-written code for every x86-64 since SSE 4.
#include <cstring>

#include "myst/base/check.hpp"
#include "myst/wireguard/aead/backends.hpp"

#ifdef MYST_HAS_IPSEC_MB

#include <intel-ipsec-mb.h>

namespace myst::wireguard::detail {

namespace {

struct FreeManager {
    void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

class IpsecMbAead final : public Aead {
public:
    explicit IpsecMbAead(IMB_MGR* manager) : manager_(manager) {}

    [[nodiscard]] std::string_view name() const override { return "ipsec_mb"; }

private:
    void seal_group(Group jobs) override {
        for (auto* job : jobs) run(*job, IMB_DIR_ENCRYPT, job->tag());
    }

    void open_group(Group jobs) override {
        for (auto* job : jobs) {
            std::array<std::uint8_t, kAeadTagSize> tag{};
            run(*job, IMB_DIR_DECRYPT, tag.data());
            job->authentic = equal_constant_time(tag, {job->tag(), kAeadTagSize});
        }
    }

    /// A job of this kind is complete when submit returns, so pointers to the stack do.
    void run(const AeadJob& job, IMB_CIPHER_DIRECTION direction, std::uint8_t* tag) {
        const auto nonce = nonce_of(job);
        const auto text = job.text();
        IMB_JOB* slot = IMB_GET_NEXT_JOB(manager_.get());
        slot->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        slot->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
        slot->cipher_direction = direction;
        slot->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
        slot->enc_keys = job.key->expose().data();
        slot->dec_keys = job.key->expose().data();
        slot->key_len_in_bytes = job.key->expose().size();
        slot->iv = nonce.data();
        slot->iv_len_in_bytes = nonce.size();
        slot->src = text.data();
        slot->dst = text.data();
        slot->cipher_start_src_offset_in_bytes = 0;
        slot->msg_len_to_cipher_in_bytes = text.size();
        slot->hash_start_src_offset_in_bytes = 0;
        slot->msg_len_to_hash_in_bytes = text.size();
        slot->u.CHACHA20_POLY1305.aad = job.associated.data();
        slot->u.CHACHA20_POLY1305.aad_len_in_bytes = job.associated.size();
        slot->auth_tag_output = tag;
        slot->auth_tag_output_len_in_bytes = kAeadTagSize;
        const IMB_JOB* done = IMB_SUBMIT_JOB_NOCHECK(manager_.get());
        CHECK(done == slot && done->status == IMB_STATUS_COMPLETED);
        // The slot is used again; it shall not point to what is gone.
        slot->enc_keys = nullptr;
        slot->dec_keys = nullptr;
        slot->iv = nullptr;
        slot->auth_tag_output = nullptr;
    }

    std::unique_ptr<IMB_MGR, FreeManager> manager_;
};

}  // namespace

std::unique_ptr<Aead> make_ipsec_mb_aead() {
    IMB_MGR* manager = alloc_mb_mgr(0);
    if (manager == nullptr) return nullptr;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(manager, &arch);
    if (imb_get_errno(manager) != 0 || arch == IMB_ARCH_NONE) {
        free_mb_mgr(manager);
        return nullptr;
    }
    return std::make_unique<IpsecMbAead>(manager);
}

}  // namespace myst::wireguard::detail

#else

std::unique_ptr<myst::wireguard::Aead> myst::wireguard::detail::make_ipsec_mb_aead() {
    return nullptr;
}

#endif
