/// Where an automatic reply goes (`auto_replies.to`).
package enum ReplyTarget: String, Hashable, Sendable, CaseIterable {
    case envelope, from
}

/// Which received mail is kept as it came (`raw_mail.keep`, `routes[].raw_mail`).
package enum RawMailKeep: String, Hashable, Sendable, CaseIterable {
    case never, failures, always
}

/// `routes[].raw_mail`.
enum RouteRawMail: String, Hashable, Sendable, CaseIterable {
    /// As `raw_mail.keep` says.
    case standard = "default"
    case never, failures, always
}

extension Configuration {
    /// The keys of `raw_mail`.
    package struct RawMail: Hashable, Sendable {
        /// `raw_mail.keep`.
        package let keep: RawMailKeep
        /// `raw_mail.max_size`. Bytes.
        package let maxSize: Int
        /// `raw_mail.max_age`.
        package let maxAge: Duration
        /// `raw_mail.max_total`. Bytes.
        package let maxTotal: Int
    }

    /// The keys of `auto_replies`.
    package struct AutoReplies: Hashable, Sendable {
        /// `auto_replies.window`.
        package let window: Duration
        /// `auto_replies.per_sender`. In an hour.
        package let perSender: Int
        /// `auto_replies.per_domain`. In an hour.
        package let perDomain: Int
        /// `auto_replies.per_hour`.
        package let perHour: Int
        /// `auto_replies.pause`.
        package let pause: Duration
        /// `auto_replies.max_age`.
        package let maxAge: Duration
        /// `auto_replies.max_hops`.
        package let maxHops: Int
        /// `auto_replies.max_thread`.
        package let maxThread: Int
        /// `auto_replies.require_authentication`.
        package let requiresAuthentication: Bool
        /// `auto_replies.refuse_fields`. As written.
        package let refusedFields: [String]
        /// `auto_replies.to`.
        package let target: ReplyTarget
        /// `auto_replies.null_sender`.
        package let hasNullSender: Bool
        /// `auto_replies.precedence`.
        package let isMarkedAsBulk: Bool
    }
}

extension Configuration.RawMail {
    init(_ reading: inout Reading) {
        keep = reading.value(Schema.RawMail.keep)
        maxSize = reading.value(Schema.RawMail.maxSize)
        maxAge = reading.value(Schema.RawMail.maxAge)
        maxTotal = reading.value(Schema.RawMail.maxTotal)
    }
}

extension Configuration.AutoReplies {
    init(_ reading: inout Reading) {
        window = reading.value(Schema.AutoReplies.window)
        perSender = reading.value(Schema.AutoReplies.perSender)
        perDomain = reading.value(Schema.AutoReplies.perDomain)
        perHour = reading.value(Schema.AutoReplies.perHour)
        pause = reading.value(Schema.AutoReplies.pause)
        maxAge = reading.value(Schema.AutoReplies.maxAge)
        maxHops = reading.value(Schema.AutoReplies.maxHops)
        maxThread = reading.value(Schema.AutoReplies.maxThread)
        requiresAuthentication = reading.value(Schema.AutoReplies.requireAuthentication)
        refusedFields = reading.values(Schema.AutoReplies.refuseFields)
        target = reading.value(Schema.AutoReplies.to)
        hasNullSender = reading.value(Schema.AutoReplies.nullSender)
        isMarkedAsBulk = reading.value(Schema.AutoReplies.precedence)
    }
}
