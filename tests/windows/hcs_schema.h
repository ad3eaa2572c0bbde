/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_HCS_SCHEMA_H
#define SK_TESTS_HCS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Answers of the Host Compute System. */
#define HCS_OK 0u
#define HCS_NO_FILE 0x80070002u
#define HCS_BAD_ARGUMENT 0x80070057u
#define HCS_BAD_DOCUMENT 0x8037010du

/*
 * Judges a description of a VM as the service does: members that the schema does not have, have another type or are
 * newer than the document's own "SchemaVersion" are refused, and so are missing ones without which there is no VM, files
 * that are not there (`exists` is asked), and keys that are no numbers or GUIDs. Writes the reason to `why`.
 */
uint32_t hcs_validate(const json_t *document, bool (*exists)(const char *path), char why[200]);

#endif
