/* Brings a part of an I420 frame of node-av into a part of another, of the same size or of half of it in both directions, where each
 * byte is the mean of four. Both are what rooms have most of: pictures as large as their cell, and twice as large without simulcast.
 * And turns those of phones that are held upright.
 * swscale takes ten times as long for halves, and both ways out of node-av cost more than that: views on the planes of each picture
 * are memory in which V8 looks for what it could get back, and a copy of it goes through all caches. See media/av/planes.ts.
 *
 * It looks into the frames themselves. What node-av's object of a frame is made of is its own affair: where FFmpeg's frame hangs in it
 * is found by one whose planes are known (find), and nothing is done where it is not found.
 *
 * Needs no headers but those of the C library (see node-api.h):
 *   cc -O2 -shared -fPIC -o planes.node planes.c */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "node-api.h"

#define PLANES 3
#define MAX_SIDE 8192
/* AVPixelFormat: the second is the same bytes in full range. */
enum { YUV420P = 0, YUVJ420P = 12 };

/* What every AVFrame begins with, of all versions of FFmpeg that have one. */
struct frame {
  uint8_t *data[8];
  int linesize[8];
  uint8_t **extended_data;
  int width, height, samples, format;
};

/* Words of node-av's object in which the frame is looked for. */
enum { OBJECT_WORDS = 24 };
static int frame_word = -1;

/* Reads what may not be there: the kernel says so where a pointer would crash. */
static int peek(const int *ends, const void *from, void *to, size_t length) {
  return write(ends[1], from, length) == (ssize_t)length && read(ends[0], to, length) == (ssize_t)length ? 0 : -1;
}

/* (frame, its first plane, numbers: stride of that, width, height, format) -> 0 when FFmpeg's frame was found in it */
static napi_value find(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  void *object = NULL, *plane = NULL, *fields = NULL;
  int ends[2];
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  size_t length = array_of(env, args[1], &plane);
  if (array_of(env, args[2], &fields) < 4 || length == 0) return answer(env, -1);
  if (napi_unwrap(env, args[0], &object) || !object || pipe2(ends, O_NONBLOCK | O_CLOEXEC)) return answer(env, -1);
  const int32_t *known = fields;
  frame_word = -1;
  for (int word = 0; word < OBJECT_WORDS && frame_word < 0; word++) {
    void *pointer = NULL;
    struct frame frame;
    if (peek(ends, (char *)object + (size_t)word * sizeof pointer, &pointer, sizeof pointer)) break;
    if (!pointer || peek(ends, pointer, &frame, sizeof frame)) continue;
    int is_it = frame.data[0] == plane && frame.linesize[0] == known[0] && frame.width == known[1] && frame.height == known[2];
    if (is_it && frame.format == known[3]) frame_word = word;
  }
  close(ends[0]);
  close(ends[1]);
  return answer(env, frame_word < 0 ? -1 : 0);
}

static const struct frame *frame_of(napi_env env, napi_value value) {
  void *object = NULL;
  if (frame_word < 0 || napi_unwrap(env, value, &object) || !object) return NULL;
  const struct frame *frame = ((struct frame **)object)[frame_word];
  int is_fit = frame && (frame->format == YUV420P || frame->format == YUVJ420P);
  return is_fit && frame->data[0] && frame->data[1] && frame->data[2] ? frame : NULL;
}

static int is_inside(const struct frame *frame, int32_t x, int32_t y, int32_t width, int32_t height) {
  int is_place = x >= 0 && y >= 0 && x <= MAX_SIDE && y <= MAX_SIDE;
  int is_size = width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE;
  return is_place && is_size && x + width <= frame->width && y + height <= frame->height;
}

static uint8_t *row_of(const struct frame *frame, int plane, int32_t x, int32_t y) {
  return frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane] + x;
}

static void halve_row(const uint8_t *upper, const uint8_t *lower, uint8_t *to, int width) {
  int x = 0;
#ifdef __SSE2__
  const __m128i even = _mm_set1_epi16(0xff), two = _mm_set1_epi16(2);
  for (; x + 16 <= width; x += 16) {
    __m128i halves[2];
    for (int i = 0; i < 2; i++) {
      __m128i a = _mm_loadu_si128((const __m128i *)(upper + 2 * x) + i), b = _mm_loadu_si128((const __m128i *)(lower + 2 * x) + i);
      __m128i left = _mm_add_epi16(_mm_and_si128(a, even), _mm_and_si128(b, even));
      __m128i right = _mm_add_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
      halves[i] = _mm_srli_epi16(_mm_add_epi16(_mm_add_epi16(left, right), two), 2);
    }
    _mm_storeu_si128((__m128i *)(to + x), _mm_packus_epi16(halves[0], halves[1]));
  }
#endif
  for (; x < width; x++) {
    to[x] = (uint8_t)((upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1] + 2) >> 2);
  }
}

/* (from, to, numbers: x and y in the first, x and y in the second, width and height of what is made, 1 for half of the size and 0 for
 * all of it; all even) -> 0, or -1 where it does not fit, and then nothing is written */
static napi_value place(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  void *fields = NULL;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  const struct frame *from = frame_of(env, args[0]), *to = frame_of(env, args[1]);
  if (!from || !to || from->format != to->format || array_of(env, args[2], &fields) < 7) return answer(env, -1);
  const int32_t *at = fields, width = at[4], height = at[5];
  const int is_half = at[6] != 0;
  if (!is_inside(to, at[2], at[3], width, height)) return answer(env, -1);
  if (!is_inside(from, at[0], at[1], width << is_half, height << is_half)) return answer(env, -1);
  for (int plane = 0; plane < PLANES; plane++) {
    const int chroma = plane > 0, columns = width >> chroma, rows = height >> chroma;
    const uint8_t *row = row_of(from, plane, at[0] >> chroma, at[1] >> chroma);
    uint8_t *to_row = row_of(to, plane, at[2] >> chroma, at[3] >> chroma);
    const ptrdiff_t stride = from->linesize[plane], to_stride = to->linesize[plane];
    for (int y = 0; y < rows; y++, row += stride << is_half, to_row += to_stride) {
      if (is_half) halve_row(row, row + stride, to_row, columns);
      else memcpy(to_row, row, (size_t)columns);
    }
  }
  return answer(env, 0);
}

/* Eight rows of eight bytes: columns become rows. */
static inline void turn_block(const uint8_t *from, ptrdiff_t step, uint8_t *to, ptrdiff_t to_step) {
#ifdef __SSE2__
  __m128i pairs[4], fours[4], eights[4];
  for (int i = 0; i < 4; i++) {
    __m128i a = _mm_loadl_epi64((const __m128i *)(from + 2 * i * step)), b = _mm_loadl_epi64((const __m128i *)(from + (2 * i + 1) * step));
    pairs[i] = _mm_unpacklo_epi8(a, b);
  }
  for (int i = 0; i < 2; i++) {
    fours[2 * i] = _mm_unpacklo_epi16(pairs[2 * i], pairs[2 * i + 1]);
    fours[2 * i + 1] = _mm_unpackhi_epi16(pairs[2 * i], pairs[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    eights[2 * i] = _mm_unpacklo_epi32(fours[i], fours[i + 2]);
    eights[2 * i + 1] = _mm_unpackhi_epi32(fours[i], fours[i + 2]);
  }
  for (int i = 0; i < 4; i++) {
    _mm_storel_epi64((__m128i *)(to + 2 * i * to_step), eights[i]);
    _mm_storel_epi64((__m128i *)(to + (2 * i + 1) * to_step), _mm_srli_si128(eights[i], 8));
  }
#else
  for (int y = 0; y < 8; y++) {
    for (int x = 0; x < 8; x++) to[y * to_step + x] = from[x * step + y];
  }
#endif
}

/* Fills a plane of so many columns and rows; `from` is the plane that is turned, clockwise. Eight by eight, as one of both is gone through
 * across its rows. */
static void turn_plane(const uint8_t *from, ptrdiff_t stride, uint8_t *to, ptrdiff_t to_stride, int columns, int rows, int degrees) {
  const ptrdiff_t last_column = columns - 1, last_row = rows - 1;
  for (int y = 0; y < rows; y += 8) {
    for (int x = 0; x < columns; x += 8) {
      if (degrees != 180 && x + 8 <= columns && y + 8 <= rows) {
        if (degrees == 90) turn_block(from + (last_column - x) * stride + y, -stride, to + y * to_stride + x, to_stride);
        else turn_block(from + x * stride + last_row - y - 7, stride, to + (y + 7) * to_stride + x, -to_stride);
        continue;
      }
      for (int v = y; v < y + 8 && v < rows; v++) {
        for (int u = x; u < x + 8 && u < columns; u++) {
          uint8_t *at = to + v * to_stride + u;
          if (degrees == 180) *at = from[(last_row - v) * stride + last_column - u];
          else *at = degrees == 90 ? from[(last_column - u) * stride + v] : from[u * stride + last_row - v];
        }
      }
    }
  }
}

/* (from, to, numbers: x, y, width and height in the second, all even, and by how many degrees clockwise all of the first is turned)
 * -> 0, or -1 where it does not fit, and then nothing is written */
static napi_value turn(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  void *fields = NULL;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  const struct frame *from = frame_of(env, args[0]), *to = frame_of(env, args[1]);
  if (!from || !to || from->format != to->format || array_of(env, args[2], &fields) < 5) return answer(env, -1);
  const int32_t *at = fields, width = at[2], height = at[3], degrees = at[4];
  if (!is_inside(to, at[0], at[1], width, height) || (degrees != 90 && degrees != 180 && degrees != 270)) return answer(env, -1);
  if (from->width != (degrees == 180 ? width : height) || from->height != (degrees == 180 ? height : width)) return answer(env, -1);
  for (int plane = 0; plane < PLANES; plane++) {
    const int chroma = plane > 0;
    uint8_t *row = row_of(to, plane, at[0] >> chroma, at[1] >> chroma);
    turn_plane(from->data[plane], from->linesize[plane], row, to->linesize[plane], width >> chroma, height >> chroma, degrees);
  }
  return answer(env, 0);
}

EXPORT({"find", find}, {"place", place}, {"turn", turn})
