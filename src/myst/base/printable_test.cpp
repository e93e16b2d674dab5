#include "myst/base/printable.hpp"

#include <gtest/gtest.h>

namespace myst {
namespace {

TEST(Printable, LeavesOrdinaryTextAlone) {
    EXPECT_EQ(printable(""), "");
    EXPECT_EQ(printable("Zürich … 東京 😀"), "Zürich … 東京 😀");
}

TEST(Printable, HidesControlCharacters) {
    EXPECT_EQ(printable("\033[31mred\r\n\x7f"), "?[31mred???");
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a?b");
    EXPECT_EQ(printable("a\xc2\x9b"
                        "31m"),
              "a?31m")
        << "U+009B begins terminal commands";
    EXPECT_EQ(printable("\xe2\x80\xa8"), "?") << "U+2028 is a line break";
    EXPECT_EQ(printable("a\xe2\x80\xae"
                        "b"),
              "a?b")
        << "U+202E turns the text around";
}

TEST(Printable, HidesWhatIsNotUtf8) {
    const char* cases[] = {
        "\xc2",  // cut short
        "\x80",  // continuation without a beginning
        "\xff",
        "\xc1",  // could only begin an overlong form
        "\xf5",  // beyond U+10FFFF
    };
    for (const char* text : cases) EXPECT_EQ(printable(text), "?");
    EXPECT_EQ(printable("\xe0\x80\xaf"), "???") << "overlong";
    EXPECT_EQ(printable("\xed\xa0\x80"), "???") << "a surrogate";
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????") << "beyond U+10FFFF";
    EXPECT_EQ(printable("\xc3(ü"), "?(ü");
}

TEST(Printable, CutsBetweenCharacters) {
    EXPECT_EQ(printable("abc", 3), "abc");
    EXPECT_EQ(printable("abcd", 3), "abc…");
    EXPECT_EQ(printable("aü", 2), "a…");
    EXPECT_EQ(printable("a\n\n", 2), "a?…");
}

}  // namespace
}  // namespace myst
