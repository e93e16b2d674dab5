#include "myst/vpn/tunnel_record.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/vpn/resolv_conf.hpp"
#include "myst/vpn/tunnel_records.hpp"

namespace myst::vpn {
namespace {

class OnDisk : public ::testing::Test {
protected:
    [[nodiscard]] std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ostringstream text;
        text << std::ifstream(path(name)).rdbuf();
        return text.str();
    }
    void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
    [[nodiscard]] bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
    TemporaryDirectory directory_;
};

using ResolvConfTest = OnDisk;
using TunnelRecordsTest = OnDisk;

TEST_F(ResolvConfTest, ReplacesInPlaceAndRestores) {
    const std::string original = "search home\nnameserver 10.0.0.1\noptions edns0\n" + std::string(300, '#') + "\n";
    write("resolv.conf", original);
    struct stat before {};
    struct stat after {};
    ASSERT_EQ(::stat(path("resolv.conf").c_str(), &before), 0);
    const ResolvConf file(path("resolv.conf"), path("saved"));
    ASSERT_TRUE(file.replace({"9.9.9.9", "8.8.8.8", "7.7.7.7", "6.6.6.6"}));
    EXPECT_NE(read("resolv.conf").find("nameserver 9.9.9.9\nnameserver 8.8.8.8\nnameserver 7.7.7.7\n"),
              std::string::npos);
    EXPECT_EQ(read("resolv.conf").find("6.6.6.6"), std::string::npos) << "the C library reads three";
    EXPECT_EQ(read("resolv.conf").find("10.0.0.1"), std::string::npos) << "nothing of the old content stays";
    ASSERT_EQ(::stat(path("resolv.conf").c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
    ASSERT_TRUE(file.change({"5.5.5.5"}));
    EXPECT_NE(read("resolv.conf").find("nameserver 5.5.5.5\n"), std::string::npos);
    ASSERT_TRUE(file.restore());
    EXPECT_EQ(read("resolv.conf"), original);
    EXPECT_FALSE(exists("saved"));
    EXPECT_TRUE(file.restore()) << "a second time is harmless";
    EXPECT_EQ(read("resolv.conf"), original);
}

TEST_F(ResolvConfTest, AMissingFileIsMissingAgainAfterwards) {
    const ResolvConf file(path("resolv.conf"), path("saved"));
    ASSERT_TRUE(file.replace({"9.9.9.9"}));
    EXPECT_TRUE(exists("resolv.conf"));
    ASSERT_TRUE(file.restore());
    EXPECT_FALSE(exists("resolv.conf"));
}

TEST_F(ResolvConfTest, SomebodyElsesLaterContentStays) {
    write("resolv.conf", "nameserver 10.0.0.1\n");
    const ResolvConf file(path("resolv.conf"), path("saved"));
    ASSERT_TRUE(file.replace({"9.9.9.9"}));
    write("resolv.conf", "nameserver 10.7.7.7\n");
    ASSERT_TRUE(file.restore());
    EXPECT_EQ(read("resolv.conf"), "nameserver 10.7.7.7\n");
    EXPECT_FALSE(exists("saved"));
}

TEST_F(ResolvConfTest, ASecondConnectionDoesNotTakeTheBackupForTheOriginal) {
    write("resolv.conf", "nameserver 10.0.0.1\n");
    const ResolvConf file(path("resolv.conf"), path("saved"));
    ASSERT_TRUE(file.replace({"9.9.9.9"}));
    const auto again = file.replace({"8.8.8.8"});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::already_exists);
    ASSERT_TRUE(file.restore());
    EXPECT_EQ(read("resolv.conf"), "nameserver 10.0.0.1\n");
}

TunnelRecord full_record() {
    TunnelRecord record;
    record.owner = {.pid = 17, .started = 42, .boot = "0a1b2c3d-0000-4000-8000-000000000000"};
    record.network = 4026531833;
    record.device = "myst0";
    record.claim = "myst0";
    record.tables = {"myst_client0", "other"};
    record.first_rule = 28000;
    record.last_rule = 28009;
    record.route_table = 28025;
    record.resolv_conf = "/etc/resolv.conf";
    record.sysctls = {{"net/ipv4/ip_forward", "0"}};
    return record;
}

TEST(TunnelRecord, SurvivesEncoding) {
    const auto text = full_record().encode();
    const auto parsed = TunnelRecord::parse(text);
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_EQ(parsed->encode(), text);
    EXPECT_EQ(parsed->owner, full_record().owner);
    EXPECT_EQ(parsed->sysctls, full_record().sysctls);
}

TEST(TunnelRecord, DamagedOnesAreRefused) {
    const auto good = full_record().encode();
    for (std::size_t length = 0; length < good.size(); ++length) {
        const auto parsed = TunnelRecord::parse(good.substr(0, length));
        if (parsed) {
            EXPECT_EQ(good[length - 1], '\n') << "cut in the middle of a line";
        }
    }
    for (const char* line : {"device=../../etc/passwd", "device=", "device=averyveryverylongname", "table=a b",
                             "table=x;flush ruleset", "claim=myst0\"", "pid=-1", "pid=99999999999", "started=x",
                             "resolv_conf=etc/resolv.conf", "sysctl=kernel/core_pattern=1", "sysctl=net/ipv4/../x=1",
                             "sysctl=net/ipv4/ip_forward=1;", "sysctl=net/ipv4/ip_forward", "unknown=1", "nothing"}) {
        EXPECT_FALSE(TunnelRecord::parse(good + line + "\n")) << line;
    }
}

TEST(ProcessMark, KnowsTheLivingFromTheDead) {
    const auto self = ProcessMark::of_this_process();
    ASSERT_TRUE(self) << self.error().describe();
    EXPECT_TRUE(self->alive());
    auto later = *self;
    ++later.started;
    EXPECT_FALSE(later.alive()) << "another process with the same id";
    auto before_restart = *self;
    before_restart.boot = "0a1b2c3d-0000-4000-8000-000000000000";
    EXPECT_FALSE(before_restart.alive()) << "ids and start times repeat after a restart of the machine";
    auto nobody = *self;
    nobody.pid = 0x3fffffff;
    EXPECT_FALSE(nobody.alive());
}

TEST_F(TunnelRecordsTest, DamagedFilesAreReportedAndLeft) {
    const TunnelRecords records(path("state"));
    ASSERT_TRUE(records.prepare());
    write("state/tunnel-myst7", "garbage\n");
    const auto undone = records.undo_stale();
    ASSERT_FALSE(undone);
    EXPECT_NE(undone.error().message.find("tunnel-myst7"), std::string::npos);
    EXPECT_TRUE(exists("state/tunnel-myst7"));
}

TEST_F(TunnelRecordsTest, ADirectoryThatOthersReadIsRefused) {
    ASSERT_EQ(::mkdir(path("state").c_str(), 0755), 0);
    ASSERT_EQ(::chmod(path("state").c_str(), 0755), 0);
    EXPECT_FALSE(TunnelRecords(path("state")).prepare());
}

}  // namespace
}  // namespace myst::vpn
