#include "services/services.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "services/health.h"
#include "services/names.h"
#include "services/recognition.h"
#include "services/reflection.h"
#include "services/watching.h"
#include "wire/descriptor_set.h"

struct services {
    recognition *recognition;
    watching *watching;
    health *health;
    reflection *reflection;
    service_names names;
    const call_method **methods; /* [method_count], of all */
    size_t method_count;
};

static steno_status add_methods(
    services *self, const call_method *const *methods, size_t count, steno_error *error)
{
    const call_method **grown = memory_allocate(self->method_count + count, sizeof(*grown));
    if (grown == NULL || service_names_add(&self->names, methods, count) < 0) {
        memory_free(grown);
        return error_memory(error);
    }
    if (self->method_count > 0)
        memcpy(grown, self->methods, self->method_count * sizeof(*grown));
    memcpy(grown + self->method_count, methods, count * sizeof(*grown));
    memory_free(self->methods);
    self->methods = grown;
    self->method_count += count;
    return STENO_OK;
}

/* Health and reflection know of the names that are there by the time they are asked. */
static steno_status create_all(
    services *self, speech *recogniser, captions *hub, uint32_t max_watchers, steno_error *error)
{
    const call_method *const *methods;
    steno_status status = recognition_create(recogniser, &self->recognition, error);
    if (status < 0)
        return status;
    size_t count = recognition_methods(self->recognition, &methods);
    if ((status = add_methods(self, methods, count, error)) < 0 ||
        (status = watching_create(hub, max_watchers, &self->watching, error)) < 0)
        return status;
    count = watching_methods(self->watching, &methods);
    if ((status = add_methods(self, methods, count, error)) < 0 ||
        (status = health_create(&self->names, &self->health, error)) < 0)
        return status;
    count = health_methods(self->health, &methods);
    if ((status = add_methods(self, methods, count, error)) < 0 ||
        (status = reflection_create(
             descriptor_set, descriptor_set_size, &self->names, &self->reflection, error)) < 0)
        return status;
    count = reflection_methods(self->reflection, &methods);
    return add_methods(self, methods, count, error);
}

steno_status services_create(speech *recogniser, captions *hub, uint32_t max_watchers,
    services **out_services, steno_error *error)
{
    services *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    steno_status status = create_all(self, recogniser, hub, max_watchers, error);
    if (status < 0)
        services_destroy(self);
    else
        *out_services = self;
    return status;
}

void services_destroy(services *self)
{
    if (self == NULL)
        return;
    reflection_destroy(self->reflection);
    health_destroy(self->health);
    watching_destroy(self->watching);
    recognition_destroy(self->recognition);
    service_names_finish(&self->names);
    memory_free(self->methods);
    memory_free(self);
}

size_t services_methods(const services *self, const call_method *const **out_methods)
{
    *out_methods = self->methods;
    return self->method_count;
}

uint32_t services_operations_pending(const services *self)
{
    return recognition_operations_pending(self->recognition);
}

void services_watch(
    services *self, void (*answered)(void *context, uint64_t latency_ms), void *context)
{
    recognition_watch(self->recognition, answered, context);
}

void services_drain(services *self)
{
    health_drain(self->health);
}
