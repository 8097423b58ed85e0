#include "daemon/core/admit.h"

#include <gtest/gtest.h>

namespace holdfast::core {
namespace {

// A disk that has exactly the room that an event of 100 bytes wants.
AdmitQuestion at_the_limit() {
  AdmitQuestion question;
  question.disk_free_min = 1000;
  question.reserved_bytes = 300;
  question.space.written_bytes = 200;
  question.event_bytes = 100;
  question.space.free_bytes = 1600;
  question.idempotency_bytes_max = 50;
  return question;
}

struct AdmitCase {
  const char* name;
  std::function<void(AdmitQuestion&)> change;
  std::optional<Refusal> expected;
};

class AdmitTest : public testing::TestWithParam<AdmitCase> {};

TEST_P(AdmitTest, DecidesAsTheTableSays) {
  AdmitQuestion question = at_the_limit();
  GetParam().change(question);
  const std::optional<Refused> refused = refuse(question);
  ASSERT_EQ(refused.has_value(), GetParam().expected.has_value());
  if (!refused) return;
  EXPECT_EQ(refused->refusal, *GetParam().expected);
  EXPECT_FALSE(refused->message.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Admission, AdmitTest,
    testing::Values(
        AdmitCase{"the_last_byte_of_room_is_enough", [](AdmitQuestion&) {}, std::nullopt},
        AdmitCase{"one_byte_less_is_not",
                  [](AdmitQuestion& question) { question.space.free_bytes -= 1; },
                  Refusal::no_space},
        AdmitCase{"what_living_events_may_need_counts",
                  [](AdmitQuestion& question) { question.reserved_bytes += 1; },
                  Refusal::no_space},
        AdmitCase{"what_they_may_add_to_history_keys_and_queues_counts",
                  [](AdmitQuestion& question) { question.growth_bytes = 1; }, Refusal::no_space},
        AdmitCase{"what_was_written_since_the_measurement_counts",
                  [](AdmitQuestion& question) { question.space.written_bytes += 1; },
                  Refusal::no_space},
        AdmitCase{"a_disk_not_measured_yet_is_not_full",
                  [](AdmitQuestion& question) { question.space.free_bytes = Space{}.free_bytes; },
                  std::nullopt},
        AdmitCase{"full_dead_letters_refuse",
                  [](AdmitQuestion& question) { question.dead_letters_full = true; },
                  Refusal::busy},
        AdmitCase{"a_full_destination_refuses",
                  [](AdmitQuestion& question) { question.full_queue = "done"; }, Refusal::busy},
        AdmitCase{"full_keys_refuse_a_key",
                  [](AdmitQuestion& question) {
                    question.keyed = true;
                    question.idempotency_bytes = 50;
                  },
                  Refusal::no_space},
        AdmitCase{"keys_just_below_their_bound_do_not",
                  [](AdmitQuestion& question) {
                    question.keyed = true;
                    question.idempotency_bytes = 49;
                  },
                  std::nullopt},
        AdmitCase{"full_keys_do_not_matter_without_one",
                  [](AdmitQuestion& question) { question.idempotency_bytes = 50; },
                  std::nullopt}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Growth, IsWhatLivingEventsMayWriteAndEndsWhereTheBoundsDo) {
  config::FunctionSettings function;
  function.result_bytes_max = 3000;
  function.retry = config::ListedRetry{};
  EXPECT_EQ(growth_of_one(function).answers, 3000u);
  EXPECT_EQ(growth_of_one(function).history, 3000u + kAttemptBytesMax);
  EXPECT_EQ(growth_of_one(function).results, 0u);
  function.on_success = "done";
  function.result_bytes_max = 300'000;
  function.retry = config::LambdaRetry{2};
  EXPECT_GE(growth_of_one(function).results, 400'000u);
  EXPECT_EQ(growth_of_one(function).answers, storage::kResultKeptBytesMax);
  const Growth of_ten = Growth{100, 10, 1}.times(10);
  EXPECT_EQ(growth_bytes(of_ten, {5000, 5000, 5000}), 1110u);
  EXPECT_EQ(growth_bytes(of_ten, {999, 7, 0}), 1006u);
}

TEST(Reserve, GrowsWithWhatTheEndingMayWrite) {
  const config::FunctionSettings plain;
  config::FunctionSettings routed = plain;
  routed.on_failure = "failures";
  config::FunctionSettings kept = routed;
  kept.dead_letter = "dead";
  EXPECT_LT(reserve_for(1000, plain), reserve_for(1000, routed));
  EXPECT_LT(reserve_for(1000, routed), reserve_for(1000, kept));
  // The record has the payload in base64, and the dead letter's copy has it once more.
  EXPECT_GE(reserve_for(3'000'000, kept) - reserve_for(0, kept), 7'000'000u);
}

}  // namespace
}  // namespace holdfast::core
