/* x264 at a quantiser of one's own for each picture, for the profiles that h264-encode.c has not. With any rate control but that,
 * x264 looks at every picture at half its size before it encodes it, which is a third of what the fastest preset costs; and
 * FFmpeg's libx264 cannot change the quantiser under way. So this calls the system's libx264 itself, where there is one, and is
 * told the quantiser (media/av/rate-control.ts).
 *
 * x264 passes over macroblocks that are said to be the same (mb_info), which are most of them where cameras look at people, and
 * the difference of the others tells the rate control what is to come.
 *
 * Written against build 164 of x264, declared here so that no headers of it are needed (nor of Node, see node-api.h):
 *   cc -O2 -shared -fPIC -o x264-encode.node x264-encode.c -ldl */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differences.h"

/* What x264 knows as a constant macroblock is marked as UNCHANGED is. */
enum { TYPE_IDR = 1, TYPE_P = 3, CSP_I420 = 2, PARAM_WORDS = 4096 };

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

struct encoder {
  struct compared seen;
  void *handle;
  int64_t pictures;
};

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
  end_compared(&one->seen);
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

static struct encoder *create_encoder(int width, int height, int framerate, const char *profile, int slice_bytes) {
  char rate[16], slice[16];
  _Alignas(16) int32_t param[PARAM_WORDS] = {0};
  if (!load()) return NULL;
  snprintf(rate, sizeof rate, "%d/1", framerate);
  snprintf(slice, sizeof slice, "%d", slice_bytes);
  /* The factors are those of I and B pictures, and say here only how far from 30 a quantiser may be: from 6 to 51. */
  const char *const options[][2] = {
    {"qp", "30"}, {"ipratio", "16"}, {"pbratio", "11.3137"}, {"threads", "1"}, {"log", "-1"}, {"fps", rate}, {"force-cfr", "1"},
    {"keyint", "infinite"}, {"scenecut", "0"}, {"weightp", "0"}, {"mbtree", "0"}, {"aq-mode", "0"}, {"bframes", "0"},
    {"slice-max-size", slice},
  };
  if (x264.default_preset(param, "ultrafast", "zerolatency") || set_unnamed(param, width, height)) return NULL;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (x264.parse(param, options[i][0], options[i][1])) return NULL;
  }
  /* The preset leaves these out, and what uses neither is written down as baseline whatever profile is asked for. */
  int is_high = !strcmp(profile, "high"), is_main = is_high || !strcmp(profile, "main");
  if ((is_main && x264.parse(param, "cabac", "1")) || (is_high && x264.parse(param, "8x8dct", "1"))) return NULL;
  struct encoder *one = calloc(1, sizeof *one);
  if (!one) return NULL;
  if (begin_compared(&one->seen, width, height) == 0 && !x264.profile(param, profile)) one->handle = x264.open(param);
  if (one->handle) return one;
  free_encoder(one);
  return NULL;
}

static int encode_picture(struct encoder *one, const struct planes *of, int is_key, int quantiser, uint8_t *to, size_t room) {
  struct picture picture, out;
  struct nal *nals;
  int nal_count = 0;
  is_key = is_key || one->pictures == 0;
  x264.picture_init(&picture);
  picture.type = is_key ? TYPE_IDR : TYPE_P;
  picture.qp_plus_1 = quantiser + 1;
  picture.pts = one->pictures++;
  picture.image.csp = CSP_I420;
  picture.image.planes = 3;
  for (int i = 0; i < 3; i++) {
    picture.image.plane[i] = (uint8_t *)of->data[i];
    picture.image.strides[i] = (int)of->strides[i];
  }
  if (!is_key) picture.properties.info = one->seen.info;
  int length = x264.encode(one->handle, &nals, &nal_count, &picture, &out);
  if (length <= 0 || nal_count == 0 || (size_t)length > room) return -1;
  memcpy(to, nals[0].payload, (size_t)length);
  return length;
}

#include "encoder-port.h"

EXPORT(ENCODER_PORT)
