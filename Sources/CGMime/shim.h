#ifndef POSTRIDER_CGMIME_SHIM_H
#define POSTRIDER_CGMIME_SHIM_H
#include <gmime/gmime.h>
#include <iconv.h>

/* GObject's type tests and casts are macros, which Swift does not import. */

/* The members of a group, or NULL when the entry is a mailbox. Borrowed from the entry. */
static inline InternetAddressList *postrider_gmime_group_members(InternetAddress *address) {
    if (!INTERNET_ADDRESS_IS_GROUP(address)) return NULL;
    return internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));
}

/* The address of a mailbox, its domain in ASCII, or NULL when the entry is a group. Borrowed from the entry.
 * The other form that GMime has turns xn-- labels into letters: the address of a plain field, which GMime does not see, would
 * then be another than that of a quoted one. */
static inline const char *postrider_gmime_mailbox_address(InternetAddress *address) {
    if (!INTERNET_ADDRESS_IS_MAILBOX(address)) return NULL;
    return internet_address_mailbox_get_idn_addr(INTERNET_ADDRESS_MAILBOX(address));
}
#endif
