extension Schema {
    enum RawMail {
        static let keep = Entry<RawMailKeep>.choice(
            "raw_mail.keep", default: .failures, example: .always,
            """
            Which received mail is kept as it came, in files beside the database, for `postrider inbound replay`. never. \
            failures: mail whose event could not be stored. always: all mail that has a route.
            """
        )
        static let maxSize = Entry.bytes(
            "raw_mail.max_size", 1024...(1 << 30), default: 25 << 20, example: 1 << 20, "A larger mail is not kept.")
        static let maxAge = Entry.duration(
            "raw_mail.max_age", .seconds(3600)...(.seconds(3650 * 86_400)), default: .seconds(30 * 86_400),
            example: .seconds(7 * 86_400), "How long it is kept.")
        static let maxTotal = Entry.bytes(
            "raw_mail.max_total", (1 << 20)...(1 << 40), default: 1 << 30, example: 20 << 30,
            """
            How much is kept of all together. The oldest goes first; where mail comes faster than it is removed, what does \
            not fit is not kept.
            """
        )

        static let settings = [keep.setting, maxSize.setting, maxAge.setting, maxTotal.setting]
    }

    enum AutoReplies {
        static let window = Entry.duration(
            "auto_replies.window", .seconds(86_400)...(.seconds(365 * 86_400)), default: .seconds(7 * 86_400),
            example: .seconds(86_400),
            """
            How long a sender who got a reply gets no second one from the same template for mail to the same route \
            (RFC 5230 section 4.2: a day at least).
            """
        )
        static let perSender = Entry.integer(
            "auto_replies.per_sender", 1...1000, default: 3, unit: "per hour", example: 1,
            "Replies to one sender, over all routes, templates and projects.")
        static let perDomain = Entry.integer(
            "auto_replies.per_domain", 1...1_000_000, default: 100, unit: "per hour", example: 1000,
            "Replies to all addresses of one domain.")
        static let perHour = Entry.integer(
            "auto_replies.per_hour", 1...10_000_000, default: 1000, unit: "per hour", example: 20_000,
            """
            Replies altogether. One more stops them all for auto_replies.pause, with a critical line in the log; those \
            that wait in the outbox then are dropped and not sent later.
            """
        )
        static let pause = Entry.duration(
            "auto_replies.pause", .seconds(60)...(.seconds(30 * 86_400)), default: .seconds(3600),
            example: .seconds(6 * 3600), "How long there are no replies after that.")
        static let maxAge = Entry.duration(
            "auto_replies.max_age", .seconds(3600)...(.seconds(365 * 86_400)), default: .seconds(7 * 86_400),
            example: .seconds(2 * 86_400),
            "A message whose Date or oldest Received field is older is not answered.")
        static let maxHops = Entry.integer(
            "auto_replies.max_hops", 1...100, default: 25, unit: "Received fields", example: 15,
            "A message with more of them is taken for one that goes in a circle. Postfix gives up at 50.")
        static let maxThread = Entry.integer(
            "auto_replies.max_thread", 1...1000, default: 3, unit: "mails", example: 5,
            "A message that refers to more mails of ours than these is not answered.")
        static let requireAuthentication = Entry.flag(
            "auto_replies.require_authentication", default: false,
            """
            Whether only senders whom DMARC or SPF verified get a reply, so that none goes to a forged sender. DMARC \
            verifies the domain of From: alone it is enough where the envelope's sender has the same domain, or where \
            replies go to From. It needs a source of these verdicts; a route can ask for it too.
            """
        )
        static let refuseFields = ListEntry(
            "auto_replies.refuse_fields", of: .fieldName, example: ["X-SES-Outgoing"],
            "Header fields that forbid a reply, beside the known ones of programs and lists.")
        static let to = Entry<ReplyTarget>.choice(
            "auto_replies.to", default: .envelope, example: .from,
            """
            envelope: a reply goes to the reverse path (RFC 3834 section 4). from: to the mailbox of From where DMARC \
            verified it, to the reverse path otherwise.
            """
        )
        static let nullSender = Entry.flag(
            "auto_replies.null_sender", default: true,
            """
            Whether a reply has the null reverse path, so that nothing answers it and no bounce of it comes back. Without \
            it replies have that of other mail.
            """
        )
        static let precedence = Entry.flag(
            "auto_replies.precedence", default: true,
            "Whether a reply says Precedence: bulk, for old programs that know no Auto-Submitted.")

        static let settings = [
            window.setting, perSender.setting, perDomain.setting, perHour.setting, pause.setting, maxAge.setting,
            maxHops.setting, maxThread.setting, requireAuthentication.setting, refuseFields.setting, to.setting,
            nullSender.setting, precedence.setting,
        ]
    }
}
