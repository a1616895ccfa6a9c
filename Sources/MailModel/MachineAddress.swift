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

    private static let ends = ["-request", "-owner", "-bounces", "-outgoing", "-relay", "-noreply"]

    /// True when the local part is a program's. A forwarder's rewritten sender (`SRS0=…`, `SRS1=…`) is a person's mail and is
    /// not; `+caf_=` is how one provider marks mail that it forwards by itself.
    package static func matches(localPart: String) -> Bool {
        let name = localPart.lowercased()
        if ["srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-"].contains(where: name.hasPrefix) { return false }
        return names.contains(name) || beginnings.contains(where: name.hasPrefix)
            || ends.contains(where: name.hasSuffix)
            || (name.utf8.contains(UInt8(ascii: "+")) && name.contains("+caf_="))
    }
}
