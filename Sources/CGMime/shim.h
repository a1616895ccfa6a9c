#ifndef POSTRIDER_CGMIME_SHIM_H
#define POSTRIDER_CGMIME_SHIM_H
#include <gmime/gmime.h>
#include <iconv.h>

/* GObject's type tests and casts are macros, which Swift does not import. */
static inline gboolean postrider_gmime_is_text_part(GMimeObject *o) { return GMIME_IS_TEXT_PART(o); }
static inline gboolean postrider_gmime_is_part(GMimeObject *o) { return GMIME_IS_PART(o); }
static inline gboolean postrider_gmime_is_multipart(GMimeObject *o) { return GMIME_IS_MULTIPART(o); }
static inline gboolean postrider_gmime_is_message_part(GMimeObject *o) { return GMIME_IS_MESSAGE_PART(o); }
static inline GMimePart *postrider_gmime_part(GMimeObject *o) { return (GMimePart *) o; }
static inline GMimeTextPart *postrider_gmime_text_part(GMimeObject *o) { return (GMimeTextPart *) o; }
static inline GMimeMultipart *postrider_gmime_multipart(GMimeObject *o) { return (GMimeMultipart *) o; }
static inline GMimeMessagePart *postrider_gmime_message_part(GMimeObject *o) { return (GMimeMessagePart *) o; }
static inline GMimeObject *postrider_gmime_object(void *o) { return (GMimeObject *) o; }
static inline GMimeMessage *postrider_gmime_message(void *o) { return (GMimeMessage *) o; }
#endif
