/// What servers say and what they mean by it, in lower case.
///
/// The first group that has a phrase in the text decides, so a group stands before those whose phrases its own texts may
/// contain too: "blocked by DMARC policy" is a matter of authentication, "mailbox full, user over quota" is no unknown user.
/// A `*` stands for up to 40 bytes of anything.
enum BouncePhrases {
    typealias Group = (reason: BounceReason, phrases: [String])

    static let groups: [Group] = [
        (.unauthenticated, unauthenticated), (.blocked, notFromUs), (.noMailAccepted, noMailAccepted),
        (.greylisted, greylisted),
        (.virus, virus), (.blocked, blocked), (.mailboxFull, mailboxFull), (.tooLarge, tooLarge), (.moved, moved),
        (.mailboxDisabled, mailboxDisabled), (.rateLimited, rateLimited), (.senderRefused, senderRefused),
        (.relaying, relaying), (.system, programs), (.spam, spam), (.content, content), (.loop, loop),
        (.network, temporaryNetwork),
        (.hostUnknown, hostUnknown), (.userUnknown, userUnknown), (.recipientRefused, recipientRefused),
        (.policy, policy), (.expired, expired), (.network, network), (.system, system), (.syntax, syntax),
        (.userUnknown, perhapsUserUnknown), (.blocked, perhapsBlocked), (.delivered, delivered),
    ]

    private static let unauthenticated = [
        "dmarc", "spf check", "spf validation", "spf record", "fails spf", "failed spf", "spf fail", "(spf)",
        "sender policy framework", "spf: ", "spf hard", "dkim signature", "dkim fail", "dkim check",
        "dkim unauthenticated",
        "not pass authentication", "unauthenticated email", "unauthenticated mail", "authentication checks",
        "required authentication level", "fails to pass authentication", "authentication information for",
        "sender id (pra)", "does not designate", "not designated", "not authorized by domain",
        "reverse dns", "reverse-dns", "rdns", "ptr record", "ptr lookup", "dns ptr", "no ptr", "missing ptr",
        "valid ptr", "without ptr", "unverifiable sending ip", "cannot find your reverse hostname",
        "cannot find your hostname", "cannot resolve your address", "client host rejected: cannot find",
        "fix reverse", "forward confirmed", "no matching reverse", "must have a valid*pointer", "not resolvable",
        "unresolvable relay", "unable to verify your ip", "invalid rdns", "helo name*not resolve", "fcrdns",
        "reverse lookup", "without reverse", "reverse hostname", "does not have a valid reverse", "no reverse",
        "sender did not pass", "arc validation", "fail dkim", "pass spf",
    ]

    /// It takes mail, and none of ours: that says nothing about the address.
    private static let notFromUs = [
        "not accept mail from", "n't accept mail from", "not accept email from", "n't accept email from",
        "not accept any mail from",
    ]

    private static let noMailAccepted = [
        "null mx", "nullmx", "does not accept mail", "doesn't accept mail", "does not accept email",
        "doesn't receive email according", "does not accept any mail", "doesn't accept incoming",
        "indicated no smtp service", "host never accepts mail", "no smtp service here",
        "this host does not receive mail",
        "smtp protocol returned a permanent error",
    ]

    private static let greylisted = [
        "greylist", "graylist", "grey-list", "gray-list", "grey listed", "gray listed", "postgrey",
    ]

    private static let virus = [
        "virus", "malware", "infected", "trojan", "your worm",
    ]

    private static let blocked = [
        "blacklist", "black list", "black-list", "blocklist", "block list", "block-list", "blocked by", "blocked for",
        "blocked using", "has been blocked", "have been blocked", "is blocked", "are blocked",
        "was blocked because your",
        "was blocked due to your", "blocked due to", "spamhaus", "spamcop", "sorbs", "barracudacentral", "dnsbl",
        "dnsrbl",
        " rbl", "(rbl", "rbl:", "rbls", "cloudmark", "senderbase", "poor reputation", "bad reputation",
        "low reputation",
        "ip reputation", "reputation of", "reputation is", "your reputation", "low reputation", "ip address*reject",
        "banned", "listed in*list",
        "listed at", "listed by", "listed on", "is on our*list", "on our block", "your ip", "your network",
        "your host is", "ip address is not allowed", "ip address has been", "ip source bloqu", "adresse ip",
        "client host*reject", "client host blocked", "refused to talk to me", "not accepting connections",
        "connection refused by", "access denied for ip", "access from ip", "access from your", "connect from*rejected",
        "connection from*denied",
        "connections from this", "connection rejected", "dynamic ip", "dynamic address", "dialup", "dial-up",
        "generic hostname", "residential", "mail from*rejected due to", "unsolicited mail originating from your",
        "message from*weren't sent", "messages from*weren't sent", "messages from*temporarily deferred",
        "mail from*temporarily deferred", "server ip", "sending ip", "sender ip", " ip is", " ip has", "from ip",
        "this ip",
        "spam source", "known spam", "open relay", "open proxy", "botnet", "use the smtp server of your isp",
        "use your isp", "not a mail exchanger", "may not be mail exchanger", "helo command rejected",
        "ehlo command rejected",
        "invalid helo", "bad helo", "my name was rejected", "helo/ehlo", "denied for security reasons", "is in a black",
        "tcp reset", "relay quota", "forbidden sender ip", "transaction failed unexpectedly",
        "rejected by host*policy", "unusual rate of*from your ip", "spam-listed", "abuse report*ip",
        "complaints about*ip",
    ]

    private static let mailboxFull = [
        "mailbox full", "mailbox is full", "mailbox was full", "mailbox are full", "mail box full", "mail box is full",
        "inbox is full",
        "inbox full", "mailfolder is full", "mail folder is full", "maildir*full", "folder is full",
        "account is full", "over quota", "overquota", "over-quota", "quota exceed", "exceeded quota", "exceeds quota",
        "exceed the quota", "exceeded*quota", "exceeding*quota", "exceeds*quota", "exceed*quota", "out of quota",
        "quota full",
        "quota is full", "quota violation", "quota limit", "quota reached", "no quota", "disk quota", "mailbox quota",
        "storage quota",
        "not enough storage space", "not enough disk space", "insufficient mailbox", "insufficient storage",
        "insufficient disk quota",
        "mailbox size limit", "mailbox limit",
        "mailbox has exceeded", "mailbox exceeds", "mailbox exceeded", "exceeded storage", "exceeded its storage",
        "storage limit", "storage allocation", "storage exceeded",
        "out of storage", "storage space", "too many messages in*mailbox", "too many messages on this mailbox",
        "user is over", "recipient over",
        "user over quota", "maximum mailbox", "mailbox*exceeded the limit", "exceeded the local limit",
        "space in*mailbox", "mailbox too large",
        "boite du destinataire pleine", "boite pleine", "receiving mail at a rate", "postfach voll",
        "postfach ist voll",
        "casella piena", "buzon lleno", "mailbox*sufficient space", "exceeded the space", "has used up",
        "maximum storage",
        "no space left for this user", "recipient storage", "the user's space has been used up",
        "user has too many messages",
        "account has been used up", "has full mailbox", "full mailbox", "mailbox would exceed", "mbox full",
        "disc quota", "exceeded email quota", "quota size",
    ]

    private static let tooLarge = [
        "message size exceeds", "message too large", "message is too large", "message too big", "message is too big",
        "message was too large", "too big for",
        "size exceeds", "size exceeded", "size limit", "exceeds size", "exceeds the size", "exceeds maximum",
        "exceeds the maximum",
        "exceeds limit", "exceeds fixed", "exceeds administrative limit", "exceeded the maximum",
        "maximum message size", "max message size",
        "message length exceeds", "larger than", "too large", "file too big", "message header size",
        "headers too large", "exceeds the limit set",
        "exceeds global size", "exceeds*size limit", "message exceeded", "over the maximum message size",
        "line limit exceeded",
        "content exceeds", "mail size", "too much mail data",
    ]

    private static let moved = [
        "has moved", "user moved", "mailbox moved", "account moved", "address has changed", "address changed",
        "has been replaced by",
        "no longer on server", "has new address", "new address is", "moved to another", "user not local; please try",
        "has been moved", "is now at",
    ]

    private static let mailboxDisabled = [
        "account disabled", "account is disabled", "account has been disabled",
        "account that you tried to reach is disabled", "account*is disabled", "account*been disabled",
        "account inactive", "account is inactive", "account not active", "is inactive", "not active",
        "inactive account", "inactive user", "inactive recipient", "inactive mailbox",
        "mailbox disabled", "mailbox is disabled", "mailbox is inactive", "mailbox inactive",
        "mailbox currently suspended", "mailbox suspended",
        "mailbox is frozen", "mailbox frozen", "mailbox blocked", "mailbox locked", "mailbox is locked",
        "mailbox unavailable or access denied",
        "account suspended", "account is suspended", "account has been suspended", "account*suspended",
        "suspended account", "is suspended",
        "account is locked", "account locked", "account has been locked", "account closed", "account is closed",
        "account has been closed", "account expired", "account has expired", "account is expired",
        "account is temporarily", "account temporarily", "account blocked", "account is blocked",
        "account has been temporarily", "account deactivated", "account has been deactivated",
        "account is not available", "account that you tried to reach is inactive", "account is over",
        "user disabled", "user is disabled", "user suspended", "user is inactive", "user inactive", "user is locked",
        "user is suspended", "user account is",
        "recipient suspended", "recipient disabled", "recipient is disabled", "recipient is inactive",
        "recipient is suspended", "sorry your message to*cannot be delivered. this account",
        "address no longer accepts mail", "no longer accepts mail", "not currently accepting",
        "currently not accepting", "is not accepting any mail", "is not accepting mail", "isn't accepting mail",
        "not accepting messages", "not accepting new",
        "mailbox temporarily", "temporarily unavailable*mailbox", "mailbox for user is full or disabled",
        "disabled or discontinued", "has been discontinued", "domain*suspended", "domain*inactive", "domain*expired",
        "boite du destinataire archivee", "destinataire archivee", "is a deactivated mailbox", "deactivated",
        "is currently suspended", "invalid/inactive", "vdelivermail: account is locked",
        "email account that you tried to reach is", "on hold", "is restricted", "currently disabled",
    ]

    private static let rateLimited = [
        "too many connections", "too many concurrent", "too many sessions", "too many messages", "too many recipients",
        "too many emails", "too many mails",
        "too many mail", "too many errors", "too many invalid", "too many unknown", "too many bad", "rate limit",
        "rate-limit", "ratelimit", "rate control", "rate has been", "sending rate", "sending limit", "sending quota",
        "message rate", "connection rate", "concurrent connections", "connection limit", "connections exceeded",
        "connections per", "throttl", "try again more slowly", "slow down", "sent too fast", "too fast",
        "too frequent", "frequency limit", "daily limit", "hourly limit", "daily quota", "hourly quota", "per hour",
        "per day", "per minute", "maximum number of", "maximum email", "resources temporarily unavailable",
        "unexpected volume", "unusual rate", "volume of mail", "exceeded the rate", "number of recipients",
        "reached*limit", "sending too many", "limit on the number of",
        "maximum defers and failures",
    ]

    private static let senderRefused = [
        "sender address reject", "sender address verif", "sender verify fail", "sender verification", "sender rejected",
        "sender denied", "sender refused", "sender not allowed", "sender is not allowed", "sender not permitted",
        "sender address is not", "sender address not", "sender address does not", "sender address domain",
        "sender domain", "sender's domain", "domain of sender", "domain of the sender", "from domain",
        "mail from domain", "sender unknown", "unknown sender", "sender is unknown", "invalid sender", "bad sender",
        "illegal sender",
        "unroutable sender", "unrouteable sender", "unable to verify sender", "could not verify sender",
        "cannot verify sender", "verify sender", "sender blocked", "blocked sender", "sender is blocked",
        "sender block", "sender*block list",
        "envelope sender", "envelope from", "return path", "return-path", "reverse path", "reverse-path",
        "invalid from", "null sender", "empty envelope", "address of sender", "badsender",
        "you are not allowed to send", "you're not allowed to send", "not authorized to send", "not allowed to send",
        "not permitted to send",
        "not authorized to use", "can't send to", "do not have permission to post", "not have permission to post",
        "only accepts mail from", "only accepts messages from", "sender not authenticated",
        "sender must be authenticated", "sender not authorized", "not authorized sender", "domain of*does not exist",
        "user*not allowed*send", "from address", "from: header", "address in from", "addresses in from",
        "does not exist*sender", "mx of sender", "mail server for sender", "no mx*sender", "mail from*rejected",
        "mail from:*rejected", "mail from refused", "mailfrom*rejected", "restricted from sending", "sending address",
        "sender has been", "address is not verified", "failed the check in region", "rejected sender",
        "bogus mail from", "bounces to", "does not accept bounce", "no bounces",
        "recipient has not been listed", "has blocked", "may not have permission to post",
    ]

    private static let relaying = [
        "relay access denied", "relay denied", "relaying denied", "relaying not", "relaying prohibited",
        "relaying is prohibited", "relaying mail", "relay not", "relay is not", "not permitted to relay",
        "not allowed to relay", "unable to relay", "cannot relay",
        "no relay", "insecure mail relay", "mail relay", "relay operation", "relaying to", "relay prohibited",
        "relay this", "not relay", "relay from", "we don't relay", "doesn't relay", "open relay", "not in my domain",
        "not in my list of allowed", "list of allowed rcpthosts", "rcpthosts", "that domain isn't in",
        "authentication required", "authentication is required", "must authenticate", "requires authentication",
        "please authenticate", "authenticate first", "must issue a starttls", "must check*mail before",
        "pop before smtp", "not local host", "is not a gateway", "relay rejected", "not permitted through this server",
        "domain not hosted",
        "smtp auth", " sasl", "by-pass", "mail server requires", "relaying blocked",
    ]

    /// Local programs that deliver mail; what they say is not said by a server.
    private static let programs = [
        "procmail:", "maildrop:", "couldn't create \"/", "can't create output", "lock failure on",
    ]

    private static let spam = [
        "spam", "unsolicited", "junk mail", "junk-mail", "bulk mail", "bulk email", "ube,", "(ube)", " uce", "gtube",
        "looks like*advertis", "score too high", "content filter", "contentfilter", "appears to be bulk", "phishing",
        "blacklisted url", "uribl", "surbl", "low trust", "message looks suspicious", "suspicious",
        "mail content denied", "denied by content", "hidden advert", "classified as", "dspam",
    ]

    private static let content = [
        "content reject", "content denied", "content not", "content prohibited", "message content", "attachment",
        "unacceptable content", "banned file", "file type", "illegal character", "improper use of 8-bit", "8bit",
        "8-bit", "charset", "bare lf", "bare newline", "bare cr", "line too long", "line length",
        "message not accepted for policy*content", "header error", "duplicate header", "invalid header",
        "missing header", "malformed header", "header*not rfc", "subject header",
        "missing*date header", "multiple*header", "rfc 5322", "rfc 2822", "rfc5322", "rfc2822", "rfc 5321",
        "mime error", "body part", "executable", "message body", "rejected by content", "violates*format",
        "message contained", "message contains", "content presents", "content-type", "content format", "conversion",
    ]

    private static let loop = [
        "too many hops", "hop count exceeded", "hop count", "mail loop", "mail forwarding loop", "forwarding loop",
        "routing loop", "loop detected", "loops back", "loop back", "message loop", "looping", "loopback", "in a loop",
        "mail for*loops", "too many received",
    ]

    /// What names no bad name but a name service that did not answer.
    private static let temporaryNetwork = [
        "host not found, try again", "host or domain name not found, try again", "name server timeout", "temporary dns",
        "dns temporary", "dns timeout", "temporary failure in name", "temporary lookup failure",
        "malformed or unexpected name server reply", "name server*fail", "nameserver*fail",
        "could not contact dns", "dns*servfail", "name service error*try again", "dns failure", "dns server failure",
        "unable to look up", "all relevant mx records", "retry time not reached", "no route to host",
        "lowest numbered mx record points to local host", "mx points to local", "mx list for*points back",
    ]

    private static let hostUnknown = [
        "host unknown", "unknown host", "host not found", "host name*not found", "domain name not found",
        "domain not found", "domain*not found", "no such domain", "no such host", "domain does not exist",
        "domain doesn't exist", "domain does*not exist", "domain is invalid", "host does not exist",
        "nonexistent domain", "non-existent domain", "nxdomain",
        "name or service not known", "unknown domain", "domain unknown", "invalid domain", "bad domain", "illegal host",
        "illegal domain", "unrouteable mail domain", "unroutable domain", "unrouteable address", "unroutable address",
        "unrouteable domain", "cannot find your recipient's mail server", "couldn't find any host",
        "couldn't find a mail exchanger", "couldn't find host", "can't find host",
        "cannot find host", "could not find host",
        "no mx or a records", "no mx records", "no mx record", "no valid mx", "no mail server", "has no mail exchanger",
        "had no relevant answers", "no a record", "no dns a-data", "not a valid domain", "recipient domain must exist",
        "recipient domain not", "recipient address rejected: domain", "domain part", "host or domain",
        "address couldn't be found*domain", "domain couldn't be found", "domain*could not be found",
        "domain name*not exist", "domain*does not exist", "domain*doesn't exist", "dns records*domain", "invalid host",
        "unable to resolve", "cannot resolve", "could not resolve", "can't resolve", "name not resolved",
        "no mail hosts for domain", "resolution failed",
        "no answer to mx lookup", "bad destination host", "bad destination system", "destination host*unknown",
        "all host address lookups failed permanently", "nom de domaine inconnu", "server for the domain*not found",
        "hostname is unknown", "unknown mail host", "host is unknown", "mail exchanger*no such", "domain lookup failed",
    ]

    private static let userUnknown = [
        "user unknown", "unknown user", "user is unknown", "users unknown", "user*unknown", "unknown local user",
        "unknown local part", "unknown local-part", "unknown virtual", "unknown mailbox", "unknown recipient",
        "unknown or illegal alias", "unknown rcpt", "unknown address", "unknown account", "unknown destination",
        "unknown email", "recipient unknown", "recipient is unknown", "recipient*unknown", "mailbox unknown",
        "address unknown", "address is unknown", "account unknown", "alias unknown", "unknown alias", "unknown e-mail",
        "unknown addressee", "addressee unknown",
        "no such user", "no such recipient", "no such mailbox", "no such mail box", "no such address",
        "no such account", "no such person", "no such local", "no such name", "no such email", "no such e-mail",
        "no such contact", "no such mail drop", "no such id", "there is no such", "there is no one", "there is no user",
        "there is no mailbox", "there is no account", "no user", "no mailbox", "no mail box", "no account",
        "no recipient", "no valid recipient", "no local mailbox", "no one by that name", "nobody by that name",
        "nobody here by", "not a user", "not a valid", "not a known", "not a local", "not valid recipient",
        "not our customer", "not known here", "not known at this",
        "does not exist", "doesn't exist", "do not exist", "don't exist", "not exist", "doesnt exist", "nonexistent",
        "non-existent", "non existent", "non-existant", "inexistent", "no longer exist", "no longer valid",
        "no longer available", "no longer a valid", "no longer in use", "no longer with", "no longer at",
        "no longer works", "no longer employed", "no longer active",
        "user not found", "user not known", "user not exist", "user*not found", "recipient not found",
        "recipient*not found", "recipnotfound", "recipient cannot be found", "recipient not exist",
        "recipient not known", "mailbox not found", "mailbox*not found", "mail box not found", "account not found",
        "address not found", "address wasn't found", "address couldn't be found", "alias not found",
        "not found in directory", "not found at", "not found on", "not found; not", "could not be found",
        "couldn't be found", "wasn't found", "cannot be found", "can't be found", "not listed in", "not in directory",
        "not in our", "not in my", "not in address book", "not in route table", "not in table",
        "invalid recipient", "invalid mailbox", "invalid user", "invalid username", "invalid address", "invalid rcpt",
        "invalid account", "invalid email", "invalid e-mail", "invalid local", "invalid destination",
        "recipient invalid", "recipient is invalid", "recipient*invalid", "user invalid", "mailbox invalid",
        "address invalid", "address is invalid", "bad recipient", "bad destination mailbox", "bad mailbox", "bad rcpt",
        "bad address", "incorrect address", "incorrect recipient", "wrong address", "illegal recipient", "illegal user",
        "incorrectly addressed",
        "isn't a known", "is not known", "is not a known", "is not a valid", "is not a registered", "isn't a valid",
        "not registered", "not recognised", "not recognized", "unrecognized address", "unrecognised address",
        "unrecognized recipient", "undeliverable address", "unable to find user", "unable to find recipient",
        "unable to find mailbox", "cannot find user", "cannot find mailbox", "can't find user", "could not find user",
        "couldn't find user", "failed to find", "user doesn't have", "user does not have", "doesn't have a*account",
        "does not have a*account", "doesn't have an account", "does not have an account", "doesn't receive mail here",
        "user lookup failed", "account has been deleted", "mailbox has been deleted", "was deleted", "been deleted",
        "address rejected*access denied", "address reject*access denied", "recipient address rejected: undeliverable",
        "recipient address rejected: invalid", "address rejected.", "recipient verify failed",
        "recipient verification failed", "recipient address verification", "verification failed for recipient",
        "not our mailbox", "mailbox is not", "aucun compte", "adresse d au moins un destinataire invalide",
        "destinataire invalide", "utilisateur inconnu", "usuario desconocido", "empfaenger unbekannt",
        "benutzer unbekannt", "unbekannter benutzer", "utente sconosciuto", "destinatario sconosciuto",
        "delivery address was not found", "the user you are trying to contact", "the user(s) account",
        "couldn't be delivered to*because the remote server couldn't", "is a non-mail user",
        "please check the recipient", "check recipient email", "message to a non", "sorry, no mailbox",
        "this address no longer", "this user doesn't", "this user does not", "this is not a valid", "mailbox for*not",
        "name not found", "not listed", "badrecipient", "intended recipient*not", "resolver.adr.", "unknown to",
        "nosuchuser", "undefined mail alias",
        "unavailable user", "misspelled",
    ]

    private static let recipientRefused = [
        "recipient rejected", "recipient refused", "recipient address rejected", "recipient denied",
        "recipient not accepted", "recipient*rejected", "refused by recipient", "rejected by recipient",
        "rejected by the recipient", "recipient has chosen", "recipient's*settings", "mailbox*does not accept",
        "only be delivered to", "recipient does not accept", "does not want", "don't want", "user refuses",
        "user reject", "refuses to accept", "rejects mail", "we do not accept mail", "restricted",
        "not allowed*recipient", "address is protected", "private address", "mail not accepted",
        "delivery to the following recipient was rejected", "blocked by user", "user denied",
    ]

    private static let policy = [
        "policy", "security", "administrative prohibition", "administratively", "prohibited", "not allowed",
        "not permitted", "forbidden", "access denied", "permission denied", "not authorized", "unauthorized", "denied",
        "violat", "disallowed", "rejected by rule", "rejected by filter", "rejected for", "starttls", "tls required",
        "encryption", "restricted", "transport.rules", "rejected by system administrator", "message rejected",
        "message refused", "message was rejected", "message has been rejected", "mail rejected",
    ]

    private static let expired = [
        "have been failing for a long time", "retry time not reached for any host after a long", "retry timeout",
        "retry time", "delivery time expired", "delivery expired", "message expired", "expired",
        "been in the queue too long", "in queue too long", "queue too long", "could not deliver for the last",
        "could not be delivered for", "unable to deliver*for", "was aborted after", "giving up", "not delivered within",
        "delivery time", "timeout exceeded", "timed out", "time out", "timeout", "message timed out", "too old",
        "undeliverable for", " hours", " days", "will be retried", "being retried", "delayed",
        "could not send mail for past", "not yet been delivered", "retry limit", "too many retries", "maximum retries",
        "maximum number of delivery attempts", "message delivery*failed after",
    ]

    private static let network = [
        "connection refused", "connection reset", "connection timed", "connection closed", "connection lost",
        "lost connection", "connection dropped", "connection failed", "connection failure", "connection error",
        "network is unreachable", "network unreachable", "network error", "host unreachable", "unreachable",
        "unable to connect", "could not connect", "couldn't connect", "cannot connect", "can't connect",
        "failed to connect", "wasn't able to establish", "unable to establish", "could not establish",
        "not accept our requests to connect", "did not accept our requests", "socket error", "name service error",
        " dns", "no answer from", "not responding", "did not respond", "no response", "unable to reach",
        "could not reach", "mx lookup", "remote host*not*answer", " tls", "unable to route", "could not find a gateway",
        "no route", "not route",
        "routing", "lookup failed", "lookup fail", "dropped connection", "server isn't responding",
    ]

    private static let system = [
        "out of disk", "disk full", "no space left", "insufficient system", "insufficient system storage",
        "system full", "filesystem", "file system", "system is full", "mail system full", "local error",
        "local configuration", "configuration error", "config error", "internal error", "internal server error",
        "system error", "server error", "software error", "server configuration", "system config",
        "incorrectly configured", "misconfigured", "service unavailable", "service not available",
        "service temporarily", "temporarily unavailable", "temporary failure", "temporary error", "temporarily",
        "try again later", "try later", "resources", "out of memory", "i/o error", "cannot open",
        "can't open", "can't create", "cannot create", "could not create", "unable to create", "unable to open",
        "exit status", "exited", "pipe to", "child process",
        "transport failed", "deliver error", "delivery failed", "local delivery failed",
        "server busy", "too busy", "overload", "load average", "ldap", "critical error",
        "processing error", "queue file", "write error", "read error",
    ]

    private static let syntax = [
        "syntax error", "bad sequence", "command not", "unrecognized command", "unrecognised command",
        "unknown command", "command unrecognized", "not implemented", "protocol error", "need mail", "need rcpt",
        "out of sequence", "smtp protocol", "unsupported", "must have", "pipelining", "5.5.2", "improper command",
        "invalid command", "command rejected",
    ]

    /// What some say of a mailbox that is not there, and others of one that is.
    private static let perhapsUserUnknown = [
        "mailbox unavailable", "mailbox is unavailable", "mailbox not available", "mailbox is not available",
        "user unavailable", "recipient unavailable", "address unavailable", "address rejected", "addressee",
        "undeliverable recipient",
    ]

    private static let perhapsBlocked = [
        "reject", "refused", "blocked",
    ]

    private static let delivered = [
        "successfully delivered", "was delivered", "has been delivered", "delivered to mailbox",
    ]
}
