#include "storage/rocks/synced_manifest.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "tests/storage/store_support.h"

namespace holdfast::storage {
namespace {

class SyncedManifestTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_ / name; }
  SyncedManifest manifest(int number) {
    return SyncedManifest{env_, path("MANIFEST-00000" + std::to_string(number))};
  }
  void set_current(int number) {
    const std::string text = "MANIFEST-00000" + std::to_string(number) + "\n";
    ASSERT_TRUE(rocksdb::WriteStringToFile(&env_, text, path("CURRENT")).ok());
  }
  // What a torn write leaves.
  void tear(uint64_t slot) {
    std::unique_ptr<rocksdb::RandomRWFile> file;
    ASSERT_TRUE(env_.NewRandomRWFile(path(kSyncedManifestName), &file, {}).ok());
    ASSERT_TRUE(file->Write(slot * 512 + 12, "torn").ok());
  }

  rocksdb::Env& env_ = *rocksdb::Env::Default();
  const TempDirectory directory_;
};

TEST_F(SyncedManifestTest, NothingIsKnownOfAManifestThatWasNeverSynced) {
  EXPECT_EQ(manifest(1).bytes(), std::nullopt);
  SyncedManifest first = manifest(1);
  first.record(100);
  EXPECT_EQ(manifest(1).bytes(), 100u);
  EXPECT_EQ(manifest(2).bytes(), std::nullopt);
}

TEST_F(SyncedManifestTest, ATornRecordLeavesTheFirstOne) {
  SyncedManifest first = manifest(1);
  first.record(100);
  first.record(200);
  first.record(300);
  EXPECT_EQ(manifest(1).bytes(), 300u);
  tear(1);
  EXPECT_EQ(manifest(1).bytes(), 100u);
}

TEST_F(SyncedManifestTest, TheNextManifestLeavesTheOneThatCurrentNamesAlone) {
  for (const int number : {1, 2, 3, 4}) {
    SyncedManifest next = manifest(number);
    next.record(100 * static_cast<uint64_t>(number));
    // CURRENT still names the one before it, and whatever is torn now is not that one's.
    if (number > 1) {
      EXPECT_EQ(manifest(number - 1).bytes(), 100u * (number - 1) + 1) << number;
    }
    set_current(number);
    next.record(100 * static_cast<uint64_t>(number) + 1);
  }
}

TEST_F(SyncedManifestTest, ANextManifestThatCameToNothingIsFollowedByAnother) {
  SyncedManifest first = manifest(1);
  first.record(100);
  set_current(1);
  for (const int number : {2, 3, 4}) {
    SyncedManifest next = manifest(number);
    next.record(7);
    EXPECT_EQ(manifest(1).bytes(), 100u) << number;
  }
}

TEST_F(SyncedManifestTest, ANumberThatIsUsedAgainForgetsWhatWasKnownOfTheFirst) {
  SyncedManifest nothing = manifest(2);  // CURRENT never came to name it
  nothing.record(900);
  nothing.record(1000);
  SyncedManifest again = manifest(2);
  again.record(50);
  EXPECT_EQ(manifest(2).bytes(), 50u);
}

}  // namespace
}  // namespace holdfast::storage
