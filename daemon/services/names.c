#include "services/names.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

/* Where a name is or belongs. */
static size_t place_of(const service_names *self, const char *name, bool *out_there)
{
    size_t place = 0;
    int order = 1;
    while (place < self->count && (order = strcmp(self->names[place], name)) < 0)
        place++;
    *out_there = place < self->count && order == 0;
    return place;
}

static steno_status insert(service_names *self, char *name, size_t place)
{
    char **grown = memory_allocate(self->count + 1, sizeof(*grown));
    if (grown == NULL)
        return STENO_ERROR_MEMORY;
    if (self->count > 0) {
        memcpy(grown, self->names, place * sizeof(*grown));
        memcpy(grown + place + 1, self->names + place, (self->count - place) * sizeof(*grown));
    }
    grown[place] = name;
    memory_free(self->names);
    self->names = grown;
    self->count++;
    return STENO_OK;
}

static steno_status add_path(service_names *self, const char *path)
{
    char *name = memory_duplicate(path + 1);
    if (name == NULL)
        return STENO_ERROR_MEMORY;
    name[strcspn(name, "/")] = '\0';
    bool there;
    size_t place = place_of(self, name, &there);
    steno_status status = there ? STENO_OK : insert(self, name, place);
    if (there || status < 0)
        memory_free(name);
    return status;
}

steno_status service_names_add(service_names *self, const call_method *const *methods, size_t count)
{
    steno_status status = STENO_OK;
    for (size_t i = 0; i < count && status == STENO_OK; i++)
        status = add_path(self, methods[i]->path);
    return status;
}

bool service_names_has(const service_names *self, const char *name)
{
    bool there;
    place_of(self, name, &there);
    return there;
}

void service_names_finish(service_names *self)
{
    for (size_t i = 0; i < self->count; i++)
        memory_free(self->names[i]);
    memory_free(self->names);
    *self = (service_names){0};
}
