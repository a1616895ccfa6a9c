/// Local parts behind which no person reads.
package enum MachineAddress {
    private static let names: Set<String> = [
        "mailer-daemon", "mailer", "postmaster", "uucp", "root", "daemon", "nobody", "listserv", "majordomo", "mailman",
        "sympa", "abuse", "bounce", "bounces", "double-bounce",
    ]

    private static let forwarders: Phrases = ["srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-"]

    private static let beginnings: Phrases = [
        "owner-", "bounce-", "bounces-", "bounce+", "bounces+", "noreply", "no-reply", "no_reply", "no.reply",
        "donotreply", "do-not-reply", "do_not_reply", "do.not.reply",
    ]

    private static let ends: Phrases = [
        "-request", "-owner", "-bounces", "-outgoing", "-relay", "-noreply", "-no-reply", "-donotreply", ".noreply",
        "_noreply",
    ]

    /// What list managers write behind the `+` of a list's name, where their own mail comes from (mlmmj, Mailman).
    private static let details: Phrases = [
        "bounce", "owner", "request", "confsub", "confunsub", "subscribe", "unsubscribe",
    ]

    /// In the middle of a list manager's sender: `list-return-7-ann=example.org` (ezmlm), `list-bounces-…`.
    private static let middles: Phrases = ["-return-", "-bounces-", "-bounce-"]

    /// True when the local part is a program's. A forwarder's rewritten sender (`SRS0=…`, `SRS1=…`) is a person's mail and is
    /// not; `+caf_=` is how one provider marks mail that it forwards by itself.
    package static func matches(localPart: String) -> Bool {
        let name = Array(localPart.lowercased().utf8)
        if forwarders.isPrefix(of: name) { return false }
        let base = name.prefix { $0 != UInt8(ascii: "+") }
        return names.contains(String(decoding: base, as: UTF8.self)) || beginnings.isPrefix(of: name)
            || ends.isSuffix(of: base) || middles.isFound(in: name)
            || base.count < name.count && isMarked(name, detail: name[(base.count + 1)...])
    }

    private static let forwarded: Phrases = ["+caf_="]

    private static func isMarked(_ name: [UInt8], detail: ArraySlice<UInt8>) -> Bool {
        details.isPrefix(of: detail) || forwarded.isFound(in: name)
    }
}
