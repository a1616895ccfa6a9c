/// Local parts behind which no person reads.
package enum MachineAddress {
    private static let names: Set<String> = [
        "mailer-daemon", "mailer", "postmaster", "uucp", "root", "daemon", "nobody", "listserv", "majordomo", "mailman",
        "sympa", "abuse", "bounce", "bounces", "double-bounce",
    ]

    private static let beginnings = [
        "owner-", "bounce-", "bounces-", "bounce+", "bounces+", "noreply", "no-reply", "no_reply", "no.reply",
        "donotreply", "do-not-reply", "do_not_reply", "do.not.reply",
    ]

    private static let ends = [
        "-request", "-owner", "-bounces", "-outgoing", "-relay", "-noreply", "-no-reply", "-donotreply", ".noreply",
        "_noreply",
    ]

    /// What list managers write behind the `+` of a list's name, where their own mail comes from (mlmmj, Mailman).
    private static let details = ["bounce", "owner", "request", "confsub", "confunsub", "subscribe", "unsubscribe"]

    /// In the middle of a list manager's sender: `list-return-7-ann=example.org` (ezmlm), `list-bounces-…`.
    private static let middles = ["-return-", "-bounces-", "-bounce-"]

    /// True when the local part is a program's. A forwarder's rewritten sender (`SRS0=…`, `SRS1=…`) is a person's mail and is
    /// not; `+caf_=` is how one provider marks mail that it forwards by itself.
    package static func matches(localPart: String) -> Bool {
        let name = localPart.lowercased()
        if ["srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-"].contains(where: name.hasPrefix) { return false }
        let base = String(name.prefix { $0 != "+" })
        return names.contains(base) || beginnings.contains(where: name.hasPrefix)
            || ends.contains(where: base.hasSuffix)
            || middles.contains(where: name.contains) || isMarked(name)
    }

    private static func isMarked(_ name: String) -> Bool {
        guard let plus = name.utf8.firstIndex(of: UInt8(ascii: "+")) else { return false }
        let detail = name[name.utf8.index(after: plus)...]
        return details.contains(where: detail.hasPrefix) || name.contains("+caf_=")
    }
}
