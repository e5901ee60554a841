/* Bits of H264, and coefficients as context-adaptive variable-length codes (CAVLC, ITU-T H.264 §9.2). */
#ifndef SWITCHYARD_CAVLC_H
#define SWITCHYARD_CAVLC_H
#include <stdint.h>
#include <stdlib.h>

/* Codes of tables 9-5 (for 0, 2 and 4 coefficients around; by how many there are and how many of the last are 1 or -1), 9-7, 9-8,
 * 9-9 and 9-10 (by how many are still to come), and what stands for a coded block pattern of pictures between (table 9-4). The
 * uppermost 1 of each is where the code begins. */
static const uint32_t coefficient_tokens[3][17][4] = {
  {{3, 0, 0, 0}, {69, 5, 0, 0}, {263, 68, 9, 0}, {519, 262, 133, 35}, {1031, 518, 261, 67}, {2055, 1030, 517, 132},
   {8207, 2054, 1029, 260}, {8203, 8206, 2053, 516}, {8200, 8202, 8205, 1028}, {16399, 16398, 8201, 2052}, {16395,
   16394, 16397, 8204}, {32783, 32782, 16393, 16396}, {32779, 32778, 32781, 16392}, {65551, 32769, 32777, 32780},
   {65547, 65550, 65549, 32776}, {65543, 65546, 65545, 65548}, {65540, 65542, 65541, 65544}},
  {{7, 0, 0, 0}, {75, 6, 0, 0}, {71, 39, 11, 0}, {135, 74, 73, 21}, {263, 70, 69, 20}, {260, 134, 133, 38}, {519, 262,
   261, 72}, {2063, 518, 517, 68}, {2059, 2062, 2061, 132}, {4111, 2058, 2057, 516}, {4107, 4110, 4109, 2060}, {4104,
   4106, 4105, 2056}, {8207, 8206, 8205, 4108}, {8203, 8202, 8201, 8204}, {8199, 16395, 8198, 8200}, {16393, 16392,
   16394, 8193}, {16391, 16390, 16389, 16388}},
  {{31, 0, 0, 0}, {79, 30, 0, 0}, {75, 47, 29, 0}, {72, 44, 46, 28}, {143, 42, 43, 27}, {139, 40, 41, 26}, {137, 78, 77,
   25}, {136, 74, 73, 24}, {271, 142, 141, 45}, {267, 270, 138, 76}, {527, 266, 269, 140}, {523, 526, 265, 268}, {520,
   522, 525, 264}, {1037, 519, 521, 524}, {1033, 1036, 1035, 1034}, {1029, 1032, 1031, 1030}, {1025, 1028, 1027, 1026}},
};
static const uint16_t chroma_dc_tokens[5][4] = {{5, 0, 0, 0}, {71, 3, 0, 0}, {68, 70, 9, 0}, {67, 131, 130, 69}, {66, 259, 258, 128}};
static const uint16_t total_zeros[15][16] = {
  {3, 11, 10, 19, 18, 35, 34, 67, 66, 131, 130, 259, 258, 515, 514, 513},
  {15, 14, 13, 12, 11, 21, 20, 19, 18, 35, 34, 67, 66, 65, 64},
  {21, 15, 14, 13, 20, 19, 12, 11, 18, 35, 34, 65, 33, 64},
  {35, 15, 21, 20, 14, 13, 12, 19, 11, 18, 34, 33, 32},
  {21, 20, 19, 15, 14, 13, 12, 11, 18, 33, 17, 32},
  {65, 33, 15, 14, 13, 12, 11, 10, 17, 9, 64},
  {65, 33, 13, 12, 11, 7, 10, 17, 9, 64},
  {65, 17, 33, 11, 7, 6, 10, 9, 64},
  {65, 64, 17, 7, 6, 9, 5, 33},
  {33, 32, 9, 7, 6, 5, 17},
  {16, 17, 9, 10, 3, 11},
  {16, 17, 5, 3, 9},
  {8, 9, 3, 5},
  {4, 5, 3},
  {2, 3},
};
static const uint16_t chroma_dc_total_zeros[3][4] = {
  {3, 5, 9, 8},
  {3, 5, 4},
  {3, 2},
};
static const uint16_t runs_before[7][15] = {
  {3, 2},
  {3, 5, 4},
  {7, 6, 5, 4},
  {7, 6, 5, 9, 8},
  {7, 6, 11, 10, 9, 8},
  {7, 8, 9, 11, 10, 13, 12},
  {15, 14, 13, 12, 11, 10, 9, 17, 33, 65, 129, 257, 513, 1025, 2049},
};
static const uint8_t inter_pattern_codes[48] = {0, 2, 3, 7, 4, 8, 17, 13, 5, 18, 9, 14, 10, 15, 16, 11, 1, 32, 33, 36, 34, 37, 44, 40, 35, 45, 38, 41, 39, 42, 43, 19, 6, 24, 25, 20, 26, 21, 46, 28, 27, 47, 22, 29, 23, 30, 31, 12};

struct bits {
  uint8_t *at;
  uint64_t held;
  int free;
};

static inline void begin_bits(struct bits *to, uint8_t *at) {
  to->at = at;
  to->held = 0;
  to->free = 64;
}

/* At least one, at most 32. */
static inline void put_bits(struct bits *to, int count, uint32_t value) {
  if (count <= to->free) {
    to->held |= (uint64_t)value << (to->free - count);
    to->free -= count;
  } else {
    int rest = count - to->free;
    to->held |= (uint64_t)value >> rest;
    for (int i = 0; i < 8; i++) *to->at++ = (uint8_t)(to->held >> (56 - 8 * i));
    to->held = (uint64_t)value << (64 - rest);
    to->free = 64 - rest;
  }
}

static inline void put_code(struct bits *to, uint32_t code) {
  int count = 31 - __builtin_clz(code);
  put_bits(to, count, code ^ (1u << count));
}

/* ue(v), §9.1, of less than 65 535 */
static inline void put_unsigned(struct bits *to, uint32_t value) {
  put_bits(to, 2 * (31 - __builtin_clz(value + 1)) + 1, value + 1);
}

/* se(v), §9.1.1 */
static inline void put_signed(struct bits *to, int value) {
  put_unsigned(to, value > 0 ? 2 * (uint32_t)value - 1 : 2 * (uint32_t)-value);
}

/* How many bits se(v) takes. */
static inline int signed_length(int value) {
  return 2 * (31 - __builtin_clz(value > 0 ? 2 * (uint32_t)value : 2 * (uint32_t)-value + 1)) + 1;
}

/* Zeros to the next byte. */
static inline void align_bits(struct bits *to) {
  if (to->free & 7) put_bits(to, to->free & 7, 0);
}

/* -> how many bits there are since `from` */
static inline int64_t bits_since(const struct bits *now, const uint8_t *from) {
  return 8 * (int64_t)(now->at - from) + 64 - now->free;
}

/* Everything to memory, whole bytes. -> where it ends */
static inline uint8_t *end_bits(struct bits *to) {
  align_bits(to);
  for (; to->free < 64; to->free += 8, to->held <<= 8) *to->at++ = (uint8_t)(to->held >> 56);
  return to->at;
}

/* The coefficients of a block that are not 0, from the lowest frequency. */
struct run_levels {
  int count;
  uint8_t places[16];
  int16_t levels[16];
};

static inline int put_level(struct bits *to, int level, int suffix, int is_first_of_small) {
  int code = level > 0 ? 2 * level - 2 : -2 * level - 1;
  if (is_first_of_small) code -= 2;
  if (suffix == 0) {
    if (code < 14) put_bits(to, code + 1, 1);
    else if (code < 30) put_bits(to, 19, (1u << 4) | (uint32_t)(code - 14));
    else put_bits(to, 28, (1u << 12) | (uint32_t)(code - 30));
  } else if (code < 15 << suffix) {
    put_bits(to, (code >> suffix) + 1 + suffix, (1u << suffix) | ((uint32_t)code & ((1u << suffix) - 1)));
  } else {
    put_bits(to, 28, (1u << 12) | (uint32_t)(code - (15 << suffix)));
  }
  if (suffix == 0) suffix = 1;
  return suffix < 6 && abs(level) > 3 << (suffix - 1) ? suffix + 1 : suffix;
}

/* §7.3.5.3.2. `around` is the mean of how many coefficients the blocks to the left and above have, -1 for the four DC of a chroma
 * plane; `most` how many the block may have. */
static inline void put_residual(struct bits *to, const struct run_levels *block, int around, int most) {
  int count = block->count, ones = 0, at = count - 1;
  while (ones < 3 && at >= 0 && abs(block->levels[at]) == 1) at--, ones++;
  if (around < 0) put_code(to, chroma_dc_tokens[count][ones]);
  else if (around < 8) put_code(to, coefficient_tokens[around < 2 ? 0 : around < 4 ? 1 : 2][count][ones]);
  else put_bits(to, 6, count == 0 ? 3 : (uint32_t)(4 * (count - 1) + ones));
  if (count == 0) return;
  for (int i = count - 1; i > at; i--) put_bits(to, 1, block->levels[i] < 0);
  int suffix = count > 10 && ones < 3;
  for (int i = at; i >= 0; i--) suffix = put_level(to, block->levels[i], suffix, i == at && ones < 3);
  int zeros = block->places[count - 1] + 1 - count;
  if (count < most) put_code(to, around < 0 ? chroma_dc_total_zeros[count - 1][zeros] : total_zeros[count - 1][zeros]);
  for (int i = count - 1; i > 0 && zeros > 0; i--) {
    int run = block->places[i] - block->places[i - 1] - 1;
    put_code(to, runs_before[zeros < 7 ? zeros - 1 : 6][run]);
    zeros -= run;
  }
}

#endif
