// What a damaged file and a failing disk do to the ledger.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "myst/ledger/ledger_tables.hpp"
#include "myst/sys/test_support/memory_disk.hpp"

namespace myst::ledger {
namespace {

const Address kProvider{{2}};
constexpr int kPayers = 30;
constexpr int kSessionsPerPayer = 8;

Address payer(int number) {
    Address address;
    address.bytes.fill(static_cast<std::uint8_t>(number + 1));
    return address;
}

ports::HeldVoucher voucher(int number, std::uint64_t total) {
    ports::HeldVoucher held;
    held.signer = payer(number);
    held.voucher.voucher = {kProvider, 3, Amount(total), Amount(total + 1)};
    held.voucher.signature.r.bytes.fill(static_cast<std::uint8_t>(total));
    held.session.bytes.fill(static_cast<std::uint8_t>(number));
    if (number % 3 == 0) held.ticks = ports::HeldTicks{Hash32{{1}}, 1, 1, {1, Hash32{{2}}}};
    return held;
}

ports::SessionRecord session(int number, int of_payer) {
    ports::SessionRecord record;
    record.id.bytes.fill(static_cast<std::uint8_t>(of_payer));
    record.id.bytes[0] = static_cast<std::uint8_t>(number);
    record.signer = payer(number);
    record.provider = kProvider;
    record.started = UnixTime(seconds(1'000'000 + number * kSessionsPerPayer + of_payer));
    record.cost = Amount(static_cast<std::uint64_t>(number) << 56);
    record.end_reason = "the consumer left";
    return record;
}

class IntegrityTest : public testing::Test {
protected:
    void SetUp() override {
        const auto name = std::string("myst_") + testing::UnitTest::GetInstance()->current_test_info()->name();
        folder_ = std::filesystem::temp_directory_path() / (name + "_" + std::to_string(getpid()));
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string path() const { return (folder_ / "ledger.db").string(); }

    static void in_transaction(LedgerTables& tables, const std::function<void()>& work) {
        auto transaction = sys::Transaction::begin(tables.database());
        ASSERT_TRUE(transaction);
        work();
        ASSERT_TRUE(tables.commit(*transaction));
    }
    /// A file with rows in the tables and in the journal, closed.
    void fill() {
        auto tables = LedgerTables::open(path());
        ASSERT_TRUE(tables);
        in_transaction(*tables, [&] {
            for (int i = 0; i < kPayers; ++i) {
                for (int k = 0; k < kSessionsPerPayer; ++k) {
                    ASSERT_TRUE(tables->append({voucher(i, static_cast<std::uint64_t>(100 + k)), session(i, k)}));
                }
                ASSERT_TRUE(tables->issue(voucher(i, 7)));
            }
        });
        ASSERT_TRUE(tables->fold());
        in_transaction(*tables, [&] {
            for (int i = 0; i < kPayers; ++i) ASSERT_TRUE(tables->append({voucher(i, 200), session(i, 0)}));
        });
    }
    /// Everything that the ledger answers whose file has this content, as bytes; none if opening or an answer reports
    /// an error.
    static std::optional<Bytes> answers(const Bytes& content) {
        const sys::testing::MemoryDisk disk({{"ledger.db", content}});
        auto tables = LedgerTables::open("ledger.db", disk.name());
        if (!tables) return std::nullopt;
        Bytes all;
        const auto add = [&all](const Bytes& row) { all.insert(all.end(), row.begin(), row.end()); };
        const auto held = tables->all_held_by(kProvider);
        const auto sessions = tables->sold_sessions(kProvider, 1'000);
        if (!held || !sessions) return std::nullopt;
        for (const auto& one : *held) add(encode_voucher(Side::held, one));
        for (const auto& one : *sessions) add(encode_session(one));
        for (int i = 0; i < kPayers; ++i) {
            const auto highest = tables->highest(Side::held, payer(i), kProvider, std::nullopt);
            const auto issued = tables->all_issued_by(payer(i));
            const auto unpaid = tables->unpaid(payer(i), kProvider);
            const auto known = tables->knows_session(session(i, 1).id);
            if (!highest || !issued || !unpaid || !known) return std::nullopt;
            if (*highest) add(encode_voucher(Side::held, **highest));
            for (const auto& one : *issued) add(encode_voucher(Side::issued, one));
            add(Bytes{static_cast<std::uint8_t>(*known)});
            const auto text = unpaid->to_string();
            add(Bytes(text.begin(), text.end()));
        }
        return all;
    }
    static std::string read(const std::string& name) {
        std::ifstream file(name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    static void write(const std::string& name, const std::string& content) {
        std::ofstream(name, std::ios::binary | std::ios::trunc) << content;
    }

    std::filesystem::path folder_;
};

TEST_F(IntegrityTest, WhatWasCommittedIsThereAgain) {
    fill();
    auto tables = LedgerTables::open(path());
    ASSERT_TRUE(tables);
    const auto held = tables->all_held_by(kProvider);
    ASSERT_TRUE(held);
    ASSERT_EQ(held->size(), static_cast<std::size_t>(kPayers));
    EXPECT_EQ(held->front().voucher.voucher.total, Amount(200));
    EXPECT_EQ(tables->sold_sessions(kProvider, 1'000)->size(), static_cast<std::size_t>(kPayers * kSessionsPerPayer));
}

TEST_F(IntegrityTest, NoFlippedByteChangesAnAnswer) {
    fill();
    const auto content = read(path());
    const Bytes intact(content.begin(), content.end());
    const auto expected = answers(intact);
    ASSERT_TRUE(expected);
    constexpr std::size_t kPageSize = 4096;
    constexpr std::size_t kTriesPerPage = 6;
    ASSERT_GT(intact.size(), 20 * kPageSize);
    std::mt19937_64 random(20'240'501);
    std::size_t noticed = 0;
    const auto flip = [&](std::size_t position) {
        auto damaged = intact;
        damaged[position] ^= static_cast<std::uint8_t>(1 + random() % 255);
        const auto found = answers(damaged);
        noticed += found ? 0 : 1;
        EXPECT_TRUE(!found || *found == *expected) << "byte " << position << " of page " << position / kPageSize;
    };
    for (std::size_t position = 0; position < 100; ++position) flip(position);  // the file's header
    for (std::size_t page = 0; page < intact.size() / kPageSize; ++page) {
        for (std::size_t byte = 0; byte < 8; ++byte) flip(page * kPageSize + byte);  // the page's header
        for (std::size_t i = 0; i < kTriesPerPage; ++i) flip(page * kPageSize + random() % kPageSize);
    }
    EXPECT_GT(noticed, 100U);
}

TEST_F(IntegrityTest, AKilledProcessLeavesItsJournal) {
    const auto killed = (folder_ / "killed.db").string();
    {
        auto tables = LedgerTables::open(path());
        ASSERT_TRUE(tables);
        in_transaction(*tables, [&] { ASSERT_TRUE(tables->append({voucher(1, 50), session(1, 1)})); });
        in_transaction(*tables, [&] { ASSERT_TRUE(tables->append({std::nullopt, session(1, 2)})); });
        write(killed, read(path()));
        write(killed + "-wal", read(path() + "-wal"));
    }
    auto tables = LedgerTables::open(killed);
    ASSERT_TRUE(tables) << tables.error().describe();
    EXPECT_EQ(tables->journal_size(), 0);
    EXPECT_EQ(tables->sold_sessions(kProvider, 10)->size(), 2U);
    const auto held = tables->highest(Side::held, payer(1), kProvider, 3);
    ASSERT_TRUE(held && *held);
    EXPECT_EQ((*held)->voucher, voucher(1, 50).voucher);
}

TEST_F(IntegrityTest, AMissingJournalRowIsNoticed) {
    fill();
    {
        auto database = sys::Database::open(path(), sys::Durability::full);
        ASSERT_TRUE(database &&
                    database->execute("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal) - 3"));
    }
    const auto opened = LedgerTables::open(path());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_data);
}

}  // namespace
}  // namespace myst::ledger
