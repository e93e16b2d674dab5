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

/// The session is over, at this cost.
void end_at(ports::SessionRecord& record, std::uint64_t cost, std::uint64_t paid) {
    record.cost = Amount(cost);
    record.paid = Amount(paid);
    record.ended = record.started + seconds(1);
}

TEST_F(IntegrityTest, OldSessionsAreForgottenAndWhatTheyLeftUnpaidIsNot) {
    constexpr int kMore = 150;
    const auto number_of = [](std::size_t i) {
        auto record = session(static_cast<int>(i % kPayers), 0);
        record.id.bytes = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 7};
        record.started = UnixTime(seconds(1'000'000 + i));
        end_at(record, 10, 7);
        return record;
    };
    const std::size_t count = LedgerTables::kSessionHistory + kMore;
    {
        auto tables = LedgerTables::open(path());
        ASSERT_TRUE(tables);
        in_transaction(*tables, [&] {
            for (std::size_t i = 0; i < count; ++i) {
                auto record = number_of(i);
                if (i == 1) record.ended = {};
                ASSERT_TRUE(tables->append({std::nullopt, record}));
            }
        });
    }
    auto tables = LedgerTables::open(path());
    ASSERT_TRUE(tables) << tables.error().describe();
    const auto known = [&](std::size_t i) { return *tables->knows_session(number_of(i).id); };
    EXPECT_FALSE(known(0));
    EXPECT_TRUE(known(1)) << "it is not over";
    EXPECT_FALSE(known(kMore - 1));
    EXPECT_TRUE(known(kMore));
    EXPECT_EQ(tables->sold_sessions(kProvider, count)->size(), LedgerTables::kSessionHistory + 1);
    for (int i = 0; i < kPayers; ++i) {
        const auto sessions = (count + kPayers - 1 - static_cast<std::size_t>(i)) / kPayers;
        EXPECT_EQ(*tables->unpaid(payer(i), kProvider), Amount(3 * sessions));
    }
}

TEST_F(IntegrityTest, AnIdIsKeptForAsLongAsARequestMayNameIt) {
    auto tables = LedgerTables::open(path());
    ASSERT_TRUE(tables);
    const auto number_of = [](std::size_t i) {
        auto record = session(1, 0);
        record.id.bytes = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 7};
        end_at(record, 0, 0);
        return record;
    };
    in_transaction(*tables, [&] {
        for (std::size_t i = 0; i < LedgerTables::kSessionHistory + 200; ++i) {
            ASSERT_TRUE(tables->append({std::nullopt, number_of(i)}));
        }
    });
    ASSERT_TRUE(tables->fold());
    EXPECT_TRUE(*tables->knows_session(number_of(0).id)) << "all of them began a moment ago";
}

TEST_F(IntegrityTest, AFileFromBeforeThereWereSumsGivesTheSameAnswers) {
    {
        auto tables = LedgerTables::open(path());
        ASSERT_TRUE(tables);
        in_transaction(*tables, [&] {
            for (int k = 0; k < 3; ++k) {
                auto record = session(1, k);
                end_at(record, 10, 4);
                ASSERT_TRUE(tables->append({std::nullopt, record}));
            }
        });
        ASSERT_TRUE(tables->fold());
    }
    {
        auto database = sys::Database::open(path(), sys::Durability::full);
        ASSERT_TRUE(database && database->execute("DROP TABLE lane_sums; PRAGMA user_version = 1"));
    }
    auto tables = LedgerTables::open(path());
    ASSERT_TRUE(tables) << tables.error().describe();
    EXPECT_EQ(*tables->unpaid(payer(1), kProvider), Amount(18));
    in_transaction(*tables, [&] {
        auto record = session(1, 0);
        end_at(record, 10, 9);
        ASSERT_TRUE(tables->append({std::nullopt, record}));
    });
    EXPECT_EQ(*tables->unpaid(payer(1), kProvider), Amount(13)) << "a session that goes on counts once";
}

TEST_F(IntegrityTest, AskingForAVoucherWritesNothing) {
    auto tables = LedgerTables::open(path());
    ASSERT_TRUE(tables);
    const auto keep = [&](std::uint32_t epoch, std::uint64_t total) {
        auto held = voucher(1, total);
        held.voucher.voucher.epoch = epoch;
        in_transaction(*tables, [&] { ASSERT_TRUE(tables->append({held, session(1, 1)})); });
    };
    const auto highest = [&](std::optional<std::uint32_t> epoch) -> std::uint64_t {
        const auto held = tables->highest(Side::held, payer(1), kProvider, epoch);
        EXPECT_TRUE(held);
        return held && *held ? static_cast<std::uint64_t>((*held)->voucher.voucher.total.units()) : 0;
    };
    keep(3, 50);
    EXPECT_EQ(highest(std::nullopt), 50U);
    EXPECT_EQ(tables->journal_size(), 1);
    ASSERT_TRUE(tables->fold());
    keep(5, 7);
    keep(3, 60);
    EXPECT_EQ(highest(std::nullopt), 7U) << "that of the newest epoch";
    EXPECT_EQ(highest(3), 60U);
    EXPECT_EQ(highest(4), 0U);
    ASSERT_TRUE(tables->fold());
    keep(3, 70);
    EXPECT_EQ(highest(std::nullopt), 7U) << "that of the newest epoch, which is in the tables";
    EXPECT_EQ(highest(3), 70U);
    EXPECT_EQ(tables->journal_size(), 1);
    EXPECT_FALSE(*tables->highest(Side::held, payer(0), kProvider, std::nullopt));
    EXPECT_FALSE(*tables->highest(Side::held, payer(2), kProvider, std::nullopt));
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
