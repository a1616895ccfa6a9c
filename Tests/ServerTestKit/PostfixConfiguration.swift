import Foundation
import Glibc

/// What a ``PrivatePostfix`` is told to be. Everything not named here is Postfix's default, or a value that makes a
/// server on one machine quick, quiet and harmless (``parametersOfTheFixture``).
package struct PostfixConfiguration: Sendable {
    /// Where accepted mail goes.
    package enum Delivery: Sendable, Equatable {
        /// discard(8): logged as sent, gone.
        case discard
        /// All mail, whatever its domain, to an SMTP server on 127.0.0.1, usually an ``SMTPSink``.
        case relay(port: UInt16)
        /// Mail for ``domains`` into one maildir by virtual(8), see ``PrivatePostfix/inbox()``; the rest is discarded.
        case maildir
    }

    /// `myhostname`, the macro `{j}` of milters and the name in the greeting.
    package var hostname = "mx.test.example"
    /// The domains whose mail it takes from anybody; every recipient in them exists.
    package var domains = ["test.example"]
    /// Where accepted mail goes.
    package var delivery = Delivery.discard
    /// Clients that may relay (`mynetworks`). One address only, so that 127.0.0.2 counts as the outside.
    package var trustedNetworks = ["127.0.0.1/32"]
    /// `smtpd_milters` in order, in Postfix's words: `unix:/path`, `inet:127.0.0.1:port`, or a group in braces
    /// (``milter(_:_:)``).
    package var milters: [String] = []
    /// `non_smtpd_milters`: mail of sendmail(1), and what ``internalClasses`` adds.
    package var internalMilters: [String] = []
    /// `internal_mail_filter_classes`: which of Postfix's own mails pass ``internalMilters``.
    package var internalClasses = ["bounce"]
    /// Recipients that smtpd refuses, with the enhanced code and text: `"5.1.1 no such user"`. Class 4 is a 450.
    package var refused: [String: String] = [:]
    /// Recipients that are accepted and turn out to be undeliverable, written as in ``refused``: error(8) bounces the
    /// mail, or keeps deferring it when the code is of class 4.
    package var undeliverable: [String: String] = [:]
    /// A second listener that runs no milters, as a submission port does (RFC 6409).
    package var hasSubmission = false
    /// Further lines for main.cf; they win over all of the above.
    package var parameters: [String: String] = [:]
    /// Further lines for master.cf.
    package var services: [String] = []

    /// A server for test.example that discards what it accepts.
    package init() {}

    /// One entry of ``milters`` with settings of its own: `connect_timeout`, `command_timeout`, `content_timeout`,
    /// `default_action`, `protocol` (MILTER_README, "Advanced features").
    package static func milter(_ endpoint: String, _ settings: KeyValuePairs<String, String>) -> String {
        "{ " + ([endpoint] + settings.map { "\($0.key)=\($0.value)" }).joined(separator: ", ") + " }"
    }

    /// The text of main.cf (postconf(5)).
    func mainFile(_ place: PostfixPlace) -> String {
        var lines = parametersOfTheFixture
        lines += place.parameters
        lines += [
            ("myhostname", hostname), ("mydomain", domains.first ?? hostname), ("mydestination", ""),
            ("mynetworks", trustedNetworks.joined(separator: ", ")),
            ("smtpd_milters", milters.joined(separator: " ")),
            ("non_smtpd_milters", internalMilters.joined(separator: " ")),
            ("internal_mail_filter_classes", internalClasses.joined(separator: " ")),
            ("transport_maps", transportMap),
        ]
        lines += deliveryParameters(place)
        lines += parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        // Postfix takes the last of several lines, but warns about it.
        var last: [String: Int] = [:]
        for (index, line) in lines.enumerated() { last[line.0] = index }
        let kept = lines.enumerated().filter { last[$0.element.0] == $0.offset }
        return kept.map { "\($0.element.0) = \($0.element.1)\n" }.joined()
    }

    /// The text of master.cf (master(5)): the programs one machine's tests need, none of them in a chroot.
    func masterFile(port: UInt16, submissionPort: UInt16?) -> String {
        var lines = ["127.0.0.1:\(port) inet n - n - - smtpd"]
        if let submissionPort {
            lines.append(
                "127.0.0.1:\(submissionPort) inet n - n - - smtpd\n  -o syslog_name=submission -o smtpd_milters=")
        }
        lines += [
            "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap", "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp", "showq unix n - n - - showq", "error unix - - n - - error",
            "retry unix - - n - - error", "discard unix - - n - - discard", "virtual unix - n n - - virtual",
            "lmtp unix - - n - - lmtp", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "postlog unix-dgram n - n - 1 postlogd",
            // smtpd refuses recipients of the services named error and retry at once; error(8) only knows those names.
            "bouncing unix - - n - - error -n error", "deferring unix - - n - - error -n retry",
        ]
        return (lines + services).map { $0 + "\n" }.joined()
    }

    private var transportMap: String {
        func rows(_ table: [String: String], bouncing: String, deferring: String) -> [String] {
            table.sorted { $0.key < $1.key }.map { address, text in
                "{ \(address) = \(text.hasPrefix("4") ? deferring : bouncing):\(text) }"
            }
        }
        let all =
            rows(refused, bouncing: "error", deferring: "retry")
            + rows(undeliverable, bouncing: "bouncing", deferring: "deferring")
        return all.isEmpty ? "" : "inline:{ \(all.joined(separator: ", ")) }"
    }

    private func deliveryParameters(_ place: PostfixPlace) -> [(String, String)] {
        let all = domains.joined(separator: " ")
        switch delivery {
        case .discard:
            return [("relay_domains", all), ("relay_transport", "discard"), ("default_transport", "discard")]
        case .relay(let port):
            let hop = "smtp:[127.0.0.1]:\(port)"
            return [("relay_domains", all), ("relay_transport", hop), ("default_transport", hop)]
        case .maildir:
            return [
                ("relay_domains", ""), ("default_transport", "discard"), ("virtual_mailbox_domains", all),
                ("virtual_mailbox_base", place.inbox), ("virtual_mailbox_maps", "static:maildir/"),
                ("virtual_mailbox_limit", "0"), ("virtual_uid_maps", "static:\(place.reader.user)"),
                ("virtual_gid_maps", "static:\(place.reader.group)"), ("virtual_minimum_uid", "1"),
            ]
        }
    }

    private var parametersOfTheFixture: [(String, String)] {
        [
            ("compatibility_level", "3.6"), ("inet_interfaces", "127.0.0.1"), ("inet_protocols", "ipv4"),
            // No name is looked up anywhere: tests must not depend on, or talk to, the world.
            ("smtpd_peername_lookup", "no"), ("smtp_dns_support_level", "disabled"), ("smtp_host_lookup", "native"),
            ("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination"),
            ("alias_maps", ""), ("alias_database", ""), ("local_recipient_maps", ""), ("local_transport", "discard"),
            ("append_dot_mydomain", "no"), ("biff", "no"), ("notify_classes", ""), ("fast_flush_domains", ""),
            ("enable_long_queue_ids", "yes"), ("smtputf8_enable", "yes"), ("smtputf8_autodetect_classes", "all"),
            ("message_size_limit", "52428800"), ("mailbox_size_limit", "0"), ("queue_minfree", "0"),
            // Waits that are good manners between strangers and lost time between fixtures.
            ("smtpd_error_sleep_time", "0"), ("smtpd_soft_error_limit", "1000"), ("smtpd_hard_error_limit", "2000"),
            ("smtpd_client_connection_count_limit", "0"), ("in_flow_delay", "0"), ("queue_run_delay", "2s"),
            ("minimal_backoff_time", "2s"), ("maximal_backoff_time", "10s"), ("smtp_connect_timeout", "5s"),
            ("destination_concurrency_failed_cohort_limit", "0"),
        ]
    }
}

/// Where one instance lives: what main.cf says about paths.
struct PostfixPlace: Sendable {
    let configuration: String
    let queue: String
    let state: String
    let log: String
    let inbox: String
    /// The user virtual(8) delivers as.
    let reader: (user: uid_t, group: gid_t)

    var parameters: [(String, String)] {
        [
            ("config_directory", configuration), ("queue_directory", queue), ("data_directory", state),
            ("maillog_file", log), ("maillog_file_prefixes", (log as NSString).deletingLastPathComponent),
        ]
    }
}
