/* x264 at a quantiser of one's own for each picture. With any rate control but that, x264 looks at every picture at half its
 * size before it encodes it, which is a third of what the fastest preset costs; and FFmpeg's libx264 cannot change the quantiser
 * under way. So this calls the system's libx264 itself, where there is one, and is told the quantiser (media/av/rate-control.ts).
 *
 * It compares each macroblock with what it was in the picture before: x264 passes over those that are the same (mb_info), which
 * are most of them where cameras look at people, and the difference of the others tells the rate control what is to come.
 *
 * Written against build 164 of x264, declared here so that no headers of it are needed (nor of Node, see node-api.h):
 *   cc -O3 -shared -fPIC -o x264-encode.node x264-encode.c -ldl */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "node-api.h"

enum { TYPE_IDR = 1, TYPE_P = 3, CSP_I420 = 2, CONSTANT = 1, SIDE = 16, HALF = 8, BLOCK = SIDE * SIDE, MAX_QP = 51 };
enum { MAX_ENCODERS = 256, MAX_SIDE = 8192, PARAM_WORDS = 4096, BOX_FIELDS = 4 };

/* x264_nal_t, x264_picture_t of build 164. */
struct nal {
  int reference, type, has_long_start, first_block, last_block, length;
  uint8_t *payload;
  int padding;
};
struct picture {
  int type, qp_plus_1, structure, is_key;
  int64_t pts, dts;
  void *param;
  struct { int csp, planes, strides[4]; uint8_t *plane[4]; } image;
  struct {
    float *offsets;
    void (*free_offsets)(void *);
    uint8_t *info;
    void (*free_info)(void *);
    double measures[6];
  } properties;
  double hrd[4];
  struct { int count; void *payloads; void (*free_payloads)(void *); } sei;
  void *opaque;
  uint8_t room[256];
};

static struct {
  int (*default_preset)(void *, const char *, const char *);
  int (*parse)(void *, const char *, const char *);
  int (*profile)(void *, const char *);
  void *(*open)(void *);
  int (*encode)(void *, struct nal **, int *, struct picture *, struct picture *);
  void (*close)(void *);
  void (*picture_init)(struct picture *);
} x264;

static struct encoder {
  void *handle;
  int width, height, columns, rows, has_last;
  int64_t pictures;
  /* Of each macroblock: whether it is as it was, and how it was (Y, U, V one after the other). */
  uint8_t *info, *last;
} *encoders[MAX_ENCODERS];

static int load(void) {
  static int is_loaded;
  if (is_loaded) return is_loaded > 0;
  void *library = dlopen("libx264.so.164", RTLD_NOW | RTLD_LOCAL);
  is_loaded = -1;
  if (!library) return 0;
  const struct { const char *name; void *into; } symbols[] = {
    {"x264_param_default_preset", &x264.default_preset}, {"x264_param_parse", &x264.parse},
    {"x264_param_apply_profile", &x264.profile}, {"x264_encoder_open_164", &x264.open},
    {"x264_encoder_encode", &x264.encode}, {"x264_encoder_close", &x264.close}, {"x264_picture_init", &x264.picture_init},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) return 0;
    memcpy(symbols[i].into, &symbol, sizeof symbol);
  }
  is_loaded = 1;
  return 1;
}

static void free_encoder(struct encoder *one) {
  if (!one) return;
  if (one->handle) x264.close(one->handle);
  free(one->info);
  free(one->last);
  free(one);
}

/* x264_param_t is reached by names, and where it has none for a field by the place beside one that has: the size is what follows
 * `sync-lookahead`, and `mb_info` stands two before the dead zones. */
static int set_unnamed(int32_t *param, int width, int height) {
  enum { LOOKAHEAD = 171, INTER = 23456, INTRA = 12345 };
  char text[16];
  const int32_t marks[] = {LOOKAHEAD, INTER, INTRA};
  const char *const names[] = {"sync-lookahead", "deadzone-inter", "deadzone-intra"};
  int32_t was[PARAM_WORDS];
  memcpy(was, param, sizeof was);
  for (int i = 0; i < 3; i++) {
    snprintf(text, sizeof text, "%d", marks[i]);
    if (x264.parse(param, names[i], text)) return -1;
  }
  int size_at = -1, zones_at = -1;
  for (int i = 2; i + 2 < PARAM_WORDS; i++) {
    if (size_at < 0 && param[i] == LOOKAHEAD && was[i] != LOOKAHEAD) size_at = i + 1;
    if (param[i] == INTER && param[i + 1] == INTRA) zones_at = i;
  }
  if (size_at < 0 || zones_at < 0 || param[size_at + 2] != CSP_I420 || param[zones_at - 2] || param[zones_at - 1]) return -1;
  memcpy(param, was, sizeof was);
  param[size_at] = width;
  param[size_at + 1] = height;
  param[zones_at - 2] = 1;
  return 0;
}

/* (width, height, frames per second, profile, largest slice in bytes or 0) -> number, or -1 */
static napi_value open_encoder(napi_env env, napi_callback_info info) {
  napi_value args[5];
  size_t count = 5, length = 0;
  char profile[16] = "", rate[16], slice[16];
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  int width = int_of(env, args[0]), height = int_of(env, args[1]), slice_bytes = int_of(env, args[4]), number = 0;
  napi_get_value_string_utf8(env, args[3], profile, sizeof profile, &length);
  snprintf(rate, sizeof rate, "%d/1", int_of(env, args[2]));
  snprintf(slice, sizeof slice, "%d", slice_bytes);
  while (number < MAX_ENCODERS && encoders[number]) number++;
  if (number == MAX_ENCODERS || width < 16 || height < 16 || width > MAX_SIDE || height > MAX_SIDE || width % 2 || height % 2) {
    return answer(env, -1);
  }
  if (!load()) return answer(env, -1);
  _Alignas(16) int32_t param[PARAM_WORDS] = {0};
  /* The factors are those of I and B pictures, and say here only how far from 30 a quantiser may be: from 6 to 51. */
  const char *const options[][2] = {
    {"qp", "30"}, {"ipratio", "16"}, {"pbratio", "11.3137"}, {"threads", "1"}, {"log", "-1"}, {"fps", rate}, {"force-cfr", "1"},
    {"keyint", "infinite"}, {"scenecut", "0"}, {"weightp", "0"}, {"mbtree", "0"}, {"aq-mode", "0"}, {"bframes", "0"},
    {"slice-max-size", slice},
  };
  if (x264.default_preset(param, "ultrafast", "zerolatency") || set_unnamed(param, width, height)) return answer(env, -1);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (x264.parse(param, options[i][0], options[i][1])) return answer(env, -1);
  }
  /* The preset leaves these out, and what uses neither is written down as baseline whatever profile is asked for. */
  int is_high = !strcmp(profile, "high"), is_main = is_high || !strcmp(profile, "main");
  if ((is_main && x264.parse(param, "cabac", "1")) || (is_high && x264.parse(param, "8x8dct", "1"))) return answer(env, -1);
  struct encoder *one = calloc(1, sizeof *one);
  if (!one) return answer(env, -1);
  one->width = width;
  one->height = height;
  one->columns = (width + SIDE - 1) / SIDE;
  one->rows = (height + SIDE - 1) / SIDE;
  one->info = calloc(1, (size_t)one->columns * one->rows);
  one->last = calloc(3 * BLOCK / 2, (size_t)one->columns * one->rows);
  if (one->info && one->last && !x264.profile(param, profile)) one->handle = x264.open(param);
  if (!one->handle) {
    free_encoder(one);
    return answer(env, -1);
  }
  encoders[number] = one;
  return answer(env, number);
}

static struct encoder *encoder_of(napi_env env, napi_value value) {
  int32_t number = int_of(env, value);
  return number >= 0 && number < MAX_ENCODERS ? encoders[number] : NULL;
}

/* I420 as four typed arrays: planes and their strides. Not 0 where they hold less than a picture of the encoder. */
static int planes_of(napi_env env, const napi_value *args, const struct encoder *one, uint8_t **planes, int32_t *strides) {
  void *data;
  if (array_of(env, args[3], &data) < 3) return -1;
  memcpy(strides, data, 3 * sizeof *strides);
  for (int i = 0; i < 3; i++) {
    size_t width = (size_t)one->width >> (i > 0), height = (size_t)one->height >> (i > 0);
    size_t length = array_of(env, args[i], &data);
    planes[i] = data;
    if (strides[i] < (int32_t)width || length < (size_t)strides[i] * (height - 1) + width) return -1;
  }
  return 0;
}

/* Difference of a block to what it was. */
static int difference(const uint8_t *is, ptrdiff_t stride, const uint8_t *was, int width, int height, int step) {
  int sum = 0;
  for (int y = 0; y < height; y++, is += stride, was += step) {
    for (int x = 0; x < width; x++) sum += abs(is[x] - was[x]);
  }
  return sum;
}

/* How much there is to see in a block: the difference to its mean. */
static int detail(const uint8_t *is, ptrdiff_t stride, int width, int height) {
  int sum = 0, away = 0;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) sum += is[y * stride + x];
  }
  uint8_t mean = (uint8_t)(sum / (width * height));
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) away += abs(is[y * stride + x] - mean);
  }
  return away;
}

static void keep(const uint8_t *is, ptrdiff_t stride, uint8_t *to, int width, int height, int step) {
  for (int y = 0; y < height; y++) memcpy(to + y * step, is + y * stride, (size_t)width);
}

/* Sum of the differences of 16 or 8 bytes each; the processor has an instruction for it that compilers do not find here. */
#ifdef __SSE2__
static inline __m128i bytes_at(const uint8_t *at, int width) {
  return width == SIDE ? _mm_loadu_si128((const __m128i *)at) : _mm_loadl_epi64((const __m128i *)at);
}
static inline int total(__m128i sums) { return _mm_cvtsi128_si32(sums) + _mm_cvtsi128_si32(_mm_srli_si128(sums, 8)); }
static inline int whole_difference(const uint8_t *is, ptrdiff_t stride, const uint8_t *was, int side) {
  __m128i sum = _mm_setzero_si128();
  for (int y = 0; y < side; y++) {
    sum = _mm_add_epi32(sum, _mm_sad_epu8(bytes_at(is + y * stride, side), bytes_at(was + y * side, side)));
  }
  return total(sum);
}
static inline int whole_detail(const uint8_t *is, ptrdiff_t stride) {
  const __m128i zero = _mm_setzero_si128();
  __m128i sum = zero, away = zero;
  for (int y = 0; y < SIDE; y++) sum = _mm_add_epi32(sum, _mm_sad_epu8(bytes_at(is + y * stride, SIDE), zero));
  const __m128i mean = _mm_set1_epi8((char)(total(sum) / BLOCK));
  for (int y = 0; y < SIDE; y++) away = _mm_add_epi32(away, _mm_sad_epu8(bytes_at(is + y * stride, SIDE), mean));
  return total(away);
}
#else
#define whole_difference(is, stride, was, side) difference(is, stride, was, side, side, side)
#define whole_detail(is, stride) detail(is, stride, SIDE, SIDE)
#endif

/* Compares one macroblock, and keeps it. -> what it costs to show: the lesser of its difference and its detail; 0 if it is the
 * same. Whole ones are most of them, and their loops are unrolled for their size. */
static int compare(const struct encoder *one, uint8_t *const *planes, const int32_t *strides, int column, int row, int is_key) {
  uint8_t *was = one->last + (size_t)(row * one->columns + column) * (3 * BLOCK / 2);
  int left = one->width - column * SIDE, above = one->height - row * SIDE;
  int width = left < SIDE ? left : SIDE, height = above < SIDE ? above : SIDE;
  int is_whole = width == SIDE && height == SIDE, sum = 0, luma = 0, looks = 0;
  for (int i = 0; i < 3; i++) {
    int side = i ? HALF : SIDE;
    const uint8_t *is = planes[i] + (ptrdiff_t)row * side * strides[i] + column * side;
    uint8_t *old = was + (i ? BLOCK + (i - 1) * (BLOCK / 4) : 0);
    int wide = width >> (i > 0), high = height >> (i > 0), differs;
    if (!is_whole) differs = difference(is, strides[i], old, wide, high, side);
    else differs = i ? whole_difference(is, strides[i], old, HALF) : whole_difference(is, strides[i], old, SIDE);
    if (!i) luma = differs;
    sum += differs;
    if (!differs && !is_key) continue;
    if (!i) looks = is_whole ? whole_detail(is, strides[i]) : detail(is, strides[i], wide, high);
    if (!is_whole) keep(is, strides[i], old, wide, high, side);
    else if (i) keep(is, strides[i], old, HALF, HALF, HALF);
    else keep(is, strides[i], old, SIDE, SIDE, SIDE);
  }
  if (is_key) return looks + 1;
  if (!sum) return 0;
  int chroma = sum - luma;
  return 1 + chroma + (luma < looks ? luma : looks);
}

/* (number, y, u, v, strides, boxes, how many of them or -1 for all of the picture, is a key picture) -> what the macroblocks in
 * them that are not as they were cost to show, or -1. What is outside of them is taken as unchanged. */
static napi_value look(napi_env env, napi_callback_info info) {
  napi_value args[8];
  size_t count = 8;
  void *fields;
  uint8_t *planes[3];
  int32_t strides[3];
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *one = encoder_of(env, args[0]);
  if (!one || planes_of(env, args + 1, one, planes, strides)) return answer(env, -1);
  size_t room = array_of(env, args[5], &fields) / BOX_FIELDS;
  int32_t boxes = int_of(env, args[6]), is_key = int_of(env, args[7]) || !one->has_last;
  const int32_t *box = fields;
  if (boxes < 0 || is_key) {
    memset(one->info, 0, (size_t)one->columns * one->rows);
  } else {
    memset(one->info, CONSTANT, (size_t)one->columns * one->rows);
    for (int32_t i = 0; i < boxes && (size_t)i < room; i++, box += BOX_FIELDS) {
      int left = box[0] < 0 ? 0 : box[0] / SIDE, top = box[1] < 0 ? 0 : box[1] / SIDE;
      int right = (box[0] + box[2] + SIDE - 1) / SIDE, bottom = (box[1] + box[3] + SIDE - 1) / SIDE;
      if (right > one->columns) right = one->columns;
      for (int y = top; y < bottom && y < one->rows; y++) {
        if (right > left) memset(one->info + (size_t)y * one->columns + left, 0, (size_t)(right - left));
      }
    }
  }
  int64_t cost = 0;
  for (int y = 0, at = 0; y < one->rows; y++) {
    for (int x = 0; x < one->columns; x++, at++) {
      if (one->info[at]) continue;
      int own = compare(one, planes, strides, x, y, is_key);
      one->info[at] = own ? 0 : CONSTANT;
      cost += own;
    }
  }
  one->has_last = 1;
  return answer(env, cost > INT32_MAX ? INT32_MAX : (int32_t)cost);
}

/* (number, y, u, v, strides, is a key picture, quantiser, bytes) -> how many bytes it wrote there, Annex B; -1 for a failure.
 * After a look at the same picture. */
static napi_value encode(napi_env env, napi_callback_info info) {
  napi_value args[8];
  size_t count = 8;
  void *bytes;
  struct picture picture, out;
  struct nal *nals;
  int nal_count = 0, qp;
  uint8_t *planes[3];
  int32_t strides[3];
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *one = encoder_of(env, args[0]);
  if (!one || planes_of(env, args + 1, one, planes, strides)) return answer(env, -1);
  size_t room = array_of(env, args[7], &bytes);
  int is_key = int_of(env, args[5]) || one->pictures == 0;
  qp = int_of(env, args[6]);
  x264.picture_init(&picture);
  picture.type = is_key ? TYPE_IDR : TYPE_P;
  picture.qp_plus_1 = (qp < 0 ? 0 : qp > MAX_QP ? MAX_QP : qp) + 1;
  picture.pts = one->pictures++;
  picture.image.csp = CSP_I420;
  picture.image.planes = 3;
  for (int i = 0; i < 3; i++) {
    picture.image.plane[i] = planes[i];
    picture.image.strides[i] = strides[i];
  }
  if (!is_key) picture.properties.info = one->info;
  int length = x264.encode(one->handle, &nals, &nal_count, &picture, &out);
  if (length <= 0 || nal_count == 0 || (size_t)length > room) return answer(env, -1);
  memcpy(bytes, nals[0].payload, (size_t)length);
  return answer(env, length);
}

static napi_value close_encoder(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *one = encoder_of(env, args[0]);
  if (one) encoders[int_of(env, args[0])] = NULL;
  free_encoder(one);
  return answer(env, one ? 0 : -1);
}

EXPORT({"open", open_encoder}, {"look", look}, {"encode", encode}, {"close", close_encoder})
