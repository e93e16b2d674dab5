// Two back-ends as one: small groups of packets go to the one, larger ones to the other.
#pragma once

#include <memory>
#include <string>

#include "myst/wireguard/aead/aead.hpp"

namespace myst::wireguard {

class SizedAead final : public Aead {
public:
    /// Groups of at least `many_from` packets go to `many`.
    SizedAead(std::unique_ptr<Aead> few, std::unique_ptr<Aead> many, std::size_t many_from);

    [[nodiscard]] std::string_view name() const override { return name_; }

private:
    void seal_group(Group jobs) override { choose(jobs).seal_group(jobs); }
    void open_group(Group jobs) override { choose(jobs).open_group(jobs); }
    void forget_keys() override;
    Aead& choose(Group jobs);

    std::unique_ptr<Aead> few_;
    std::unique_ptr<Aead> many_;
    std::size_t many_from_;
    std::string name_;
    bool few_used_ = false;  ///< since keys were forgotten
    bool many_used_ = false;
};

}  // namespace myst::wireguard
