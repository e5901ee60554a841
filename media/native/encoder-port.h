/* An H264 encoder as media/av/direct-h264.ts calls it. The addon that includes this near its end has an encoder that begins with
 * what of its pictures is compared, and
 *   struct encoder *create_encoder(int width, int height, int frames per second, const char *profile, int largest slice or 0)
 *   int encode_picture(struct encoder *, const struct planes *, int is_key, int quantiser, uint8_t *to, size_t room)
 *     which gives the length of what it wrote, Annex B, or -1
 *   void free_encoder(struct encoder *)
 * and exports ENCODER_PORT. */
#ifndef SWITCHYARD_ENCODER_PORT_H
#define SWITCHYARD_ENCODER_PORT_H
#include "differences.h"
#include "node-api.h"

enum { MAX_ENCODERS = 256, MAX_SIDE = 8192, MAX_QP = 51 };

static struct encoder *encoders[MAX_ENCODERS];

/* (width, height, frames per second, profile, largest slice in bytes or 0) -> number, or -1 */
static napi_value open_encoder(napi_env env, napi_callback_info info) {
  napi_value args[5];
  size_t count = 5, length = 0;
  char profile[16] = "";
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  int width = int_of(env, args[0]), height = int_of(env, args[1]), number = 0;
  napi_get_value_string_utf8(env, args[3], profile, sizeof profile, &length);
  while (number < MAX_ENCODERS && encoders[number]) number++;
  if (number == MAX_ENCODERS || width < SIDE || height < SIDE || width > MAX_SIDE || height > MAX_SIDE || width % 2 || height % 2) {
    return answer(env, -1);
  }
  encoders[number] = create_encoder(width, height, int_of(env, args[2]), profile, int_of(env, args[4]));
  return answer(env, encoders[number] ? number : -1);
}

static struct encoder *encoder_of(napi_env env, napi_value value) {
  int32_t number = int_of(env, value);
  return number >= 0 && number < MAX_ENCODERS ? encoders[number] : NULL;
}

/* I420 as four typed arrays: planes and their strides. Not 0 where they hold less than a picture of the encoder. */
static int planes_of(napi_env env, const napi_value *args, const struct compared *one, struct planes *planes) {
  void *data;
  if (array_of(env, args[3], &data) < 3) return -1;
  const int32_t *strides = data;
  for (int i = 0; i < 3; i++) {
    size_t width = (size_t)one->width >> (i > 0), height = (size_t)one->height >> (i > 0);
    planes->strides[i] = strides[i];
    size_t length = array_of(env, args[i], &data);
    planes->data[i] = data;
    if (planes->strides[i] < (ptrdiff_t)width || length < (size_t)planes->strides[i] * (height - 1) + width) return -1;
  }
  return 0;
}

/* (number, y, u, v, strides, boxes, how many of them or -1 for all of the picture, is a key picture) -> what the macroblocks in
 * them that are not as they were cost to show, or -1 */
static napi_value look(napi_env env, napi_callback_info info) {
  napi_value args[8];
  size_t count = 8;
  void *boxes;
  struct planes planes;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *one = encoder_of(env, args[0]);
  if (!one || planes_of(env, args + 1, &one->seen, &planes)) return answer(env, -1);
  size_t room = array_of(env, args[5], &boxes) / BOX_FIELDS;
  int32_t wanted = int_of(env, args[6]);
  if (wanted > 0 && (size_t)wanted > room) return answer(env, -1);
  return answer(env, compare_picture(&one->seen, &planes, boxes, wanted, int_of(env, args[7])));
}

/* (number, y, u, v, strides, is a key picture, quantiser, bytes) -> how many bytes it wrote there, Annex B; -1 for a failure.
 * After a look at the same picture. */
static napi_value encode(napi_env env, napi_callback_info info) {
  napi_value args[8];
  size_t count = 8;
  void *bytes;
  struct planes planes;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *one = encoder_of(env, args[0]);
  if (!one || planes_of(env, args + 1, &one->seen, &planes)) return answer(env, -1);
  size_t room = array_of(env, args[7], &bytes);
  int qp = int_of(env, args[6]);
  return answer(env, encode_picture(one, &planes, int_of(env, args[5]), qp < 0 ? 0 : qp > MAX_QP ? MAX_QP : qp, bytes, room));
}

static napi_value close_encoder(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *one = encoder_of(env, args[0]);
  if (!one) return answer(env, -1);
  encoders[int_of(env, args[0])] = NULL;
  free_encoder(one);
  return answer(env, 0);
}

#define ENCODER_PORT {"open", open_encoder}, {"look", look}, {"encode", encode}, {"close", close_encoder}

#endif
