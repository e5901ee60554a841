/* What the addons beside it use of Node-API, whose ABI is stable: declared here, so that no headers are needed to compile them. */
#ifndef SWITCHYARD_NODE_API_H
#define SWITCHYARD_NODE_API_H
#include <stddef.h>
#include <stdint.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
extern int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
extern int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
extern int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
extern int napi_get_value_int32(napi_env, napi_value, int32_t *);
extern int napi_create_int32(napi_env, int32_t, napi_value *);
extern int napi_get_typedarray_info(napi_env, napi_value, int *, size_t *, void **, napi_value *, size_t *);
extern int napi_unwrap(napi_env, napi_value, void **);
extern int napi_get_value_string_utf8(napi_env, napi_value, char *, size_t, size_t *);

struct exported { const char *name; napi_callback call; };

static inline int32_t int_of(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}

static inline napi_value answer(napi_env env, int32_t number) {
  napi_value value = NULL;
  napi_create_int32(env, number, &value);
  return value;
}

/* Memory of a typed array; 0 elements for anything else. Lengths are in elements. */
static inline size_t array_of(napi_env env, napi_value value, void **data) {
  int type;
  size_t length = 0;
  *data = NULL;
  return napi_get_typedarray_info(env, value, &type, &length, data, NULL, NULL) == 0 ? length : 0;
}

static inline napi_value export_all(napi_env env, napi_value exports, const struct exported *functions, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function = NULL;
    napi_create_function(env, functions[i].name, (size_t)-1, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}

/* At the end of an addon, with what it exports: {"name", function}, … */
#define EXPORT(...)                                                                                                \
  __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {   \
    static const struct exported functions[] = {__VA_ARGS__};                                                     \
    return export_all(env, exports, functions, sizeof functions / sizeof *functions);                             \
  }

#endif
