#include "config/warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace holdfast::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Warnings : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    std::ofstream{program_} << "#!/bin/sh\n";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::vector<std::string> warnings_about(const std::string& program) {
    Settings settings = plain_;
    settings.functions["resize"].command = {program};
    return warnings(settings);
  }

  static Settings plain() {
    Settings settings;
    settings.socket.group = "";
    return settings;
  }

  const Settings plain_ = plain();
  const std::filesystem::path directory_ =
      testing::TempDir() + "holdfast_warnings_test_" +
      testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::filesystem::path program_ = directory_ / "handler";
};

TEST_F(Warnings, NoneOfAProgramThatCanBeExecuted) {
  std::filesystem::permissions(program_, std::filesystem::perms::owner_all);
  EXPECT_THAT(warnings_about(program_), IsEmpty());
}

TEST_F(Warnings, NameAProgramThatIsNotExecutable) {
  std::filesystem::permissions(program_, std::filesystem::perms::owner_read);
  EXPECT_THAT(
      warnings_about(program_),
      ElementsAre(testing::AllOf(HasSubstr("functions.resize.command: "),
                                 HasSubstr(program_.string()), HasSubstr(" is not executable"))));
}

TEST_F(Warnings, NameAProgramThatDoesNotExist) {
  EXPECT_THAT(warnings_about(directory_ / "absent"),
              ElementsAre(HasSubstr("absent\" does not exist")));
}

TEST_F(Warnings, NameAProgramThatIsADirectory) {
  EXPECT_THAT(warnings_about(directory_), ElementsAre(HasSubstr("is not a file")));
}

TEST_F(Warnings, NameAGroupThatDoesNotExist) {
  Settings settings = plain_;
  settings.socket.group = "root";
  EXPECT_THAT(warnings(settings), IsEmpty());
  settings.socket.group = "nosuchgroup";
  EXPECT_THAT(warnings(settings),
              ElementsAre(HasSubstr("socket.group: no group is called \"nosuchgroup\"")));
}

TEST_F(Warnings, NameAStateDirectoryWithoutAParent) {
  Settings settings = plain_;
  settings.daemon.state_directory = directory_ / "state";
  EXPECT_THAT(warnings(settings), IsEmpty());
  settings.daemon.state_directory = directory_ / "absent" / "state";
  EXPECT_THAT(warnings(settings), ElementsAre(testing::AllOf(
                                      HasSubstr("daemon.state_directory: its parent"),
                                      HasSubstr("absent\" does not exist"))));
}

TEST_F(Warnings, NameAProgramBehindAFile) {
  EXPECT_THAT(warnings_about(program_ / "below"), ElementsAre(HasSubstr("cannot be looked at: ")));
}

}  // namespace
}  // namespace holdfast::config
