/* SPDX-License-Identifier: Apache-2.0 */
/* What the Host Compute System answers: errors, the end of a VM, properties. A document that is too long is not read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/hcs.h"

/* Error codes (HRESULT) for which there is more to say than their text. The service has two forms of its own: 0x8037…,
 * and, from older versions of Windows, 0xC037…. */
static const struct {
	uint32_t code;
	int number;
	const char *text;
} known[] = {
	{ 0x80070002u, ENOENT, "a file is missing" },
	{ 0x80070003u, ENOENT, "a directory is missing" },
	{ 0x80070005u, EACCES,
	  "access denied: your user has to be a member of the group \"Hyper-V Administrators\" (sign out and in "
	  "again)" },
	{ 0x8007000eu, ENOMEM, "not enough memory" },
	{ 0x800705aau, ENOMEM, "not enough memory" },
	{ 0x80370102u, ENODEV,
	  "Hyper-V does not run: enable the Windows feature \"Virtual Machine Platform\" and virtualization in the "
	  "firmware, then restart" },
	{ 0x80370105u, EINVAL, "the VM is in another state" },
	{ 0x80370106u, EPIPE, "the VM ended unexpectedly" },
	{ 0x80370109u, ETIMEDOUT, "the service does not answer in time" },
	{ 0x8037010du, EINVAL, "the service refuses the description of the VM" },
	{ 0x8037010eu, ENOENT, "there is no such VM" },
	{ 0x8037010fu, EEXIST, "there is a VM with that name" },
	{ 0x80370110u, ESRCH, "the VM has ended" },
	{ 0x80370114u, ENODEV, "the service \"Hyper-V Host Compute Service\" (vmcompute) does not run" },
	{ 0x8037011bu, EACCES,
	  "access denied: your user has to be a member of the group \"Hyper-V Administrators\" (sign out and in "
	  "again)" },
};

/* A new reference to an object; NULL: it is none. */
static json_t *parse(const char *text, size_t n)
{
	json_t *o = text && n <= SK_HCS_RESULT_MAX ? json_loadb(text, n, 0, NULL) : NULL;

	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

/* What the service says, in one line. */
static void one_line(const char *said, char buf[300])
{
	char *p;

	snprintf(buf, 300, "%s", said ? said : "");
	for (p = buf; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

int sk_hcs_error(uint32_t hresult, const char *text, size_t n, struct sk_error *err, const char *what)
{
	uint32_t code = hresult >> 16 == 0xc037 ? (0x8037u << 16) | (hresult & 0xffffu) : hresult;
	json_t *o = parse(text, n);
	const char *ours = NULL;
	int number = EIO;
	char said[300];
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(known); i++)
		if (known[i].code == code) {
			number = known[i].number;
			ours = known[i].text;
		}
	one_line(json_string_value(json_object_get(o, "ErrorMessage")), said);
	json_decref(o);
	if (!ours && !*said)
		ours = "the Host Compute System refuses it";
	return sk_error_set(err, number, "cannot %s: %s%s%s (error 0x%08x)", what, ours ? ours : "",
			    ours && *said ? ": " : "", said, hresult);
}

int sk_hcs_parse_exit(const char *text, size_t n, struct sk_hcs_exit *ret)
{
	static const struct {
		const char *word;
		enum sk_hcs_exit_type type;
	} types[] = {
		{ "GracefulExit", SK_HCS_EXIT_GRACEFUL },
		{ "ForcedExit", SK_HCS_EXIT_FORCED },
		{ "UnexpectedExit", SK_HCS_EXIT_UNEXPECTED },
	};
	json_t *o = parse(text, n), *status = json_object_get(o, "Status");
	const char *word = json_string_value(json_object_get(o, "ExitType"));
	json_int_t number = json_integer_value(status);
	size_t i;
	/* An HRESULT is signed in some versions and not in others. */
	bool ok = o && json_is_integer(status) && number >= INT32_MIN && number <= UINT32_MAX;

	*ret = (struct sk_hcs_exit){ SK_HCS_EXIT_UNKNOWN, ok ? (int32_t)(uint32_t)number : 0 };
	for (i = 0; ok && word && i < SK_ARRAY_SIZE(types); i++)
		if (strcmp(word, types[i].word) == 0)
			ret->type = types[i].type;
	json_decref(o);
	return ok ? 0 : -EINVAL;
}

int sk_hcs_parse_schema(const char *text, size_t n, unsigned *ret_minor)
{
	json_t *o = parse(text, n);
	const json_t *list =
		json_object_get(json_array_get(json_object_get(o, "Properties"), 0), "SupportedSchemaVersions");
	json_int_t best = -1;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i), *minor = json_object_get(v, "Minor");

		if (json_integer_value(json_object_get(v, "Major")) == 2 && json_is_integer(minor) &&
		    json_integer_value(minor) > best && json_integer_value(minor) < 1000)
			best = json_integer_value(minor);
	}
	json_decref(o);
	if (best < 0)
		return -EINVAL;
	*ret_minor = (unsigned)best;
	return 0;
}

int sk_hcs_parse_runtime_id(const char *text, size_t n, char ret[SK_HCS_ID_SIZE])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	json_t *o = parse(text, n);
	const char *id = json_string_value(json_object_get(o, "RuntimeId"));
	bool ok = id && strlen(id) == sizeof(form) - 1;
	size_t i;

	for (i = 0; ok && i < sizeof(form) - 1; i++) {
		char c = id[i] >= 'A' && id[i] <= 'F' ? (char)(id[i] | 32) : id[i];

		ok = form[i] == 'x' ? c && strchr("0123456789abcdef", c) != NULL : c == '-';
		ret[i] = c;
	}
	ret[ok ? sizeof(form) - 1 : 0] = '\0';
	json_decref(o);
	return ok ? 0 : -EINVAL;
}
