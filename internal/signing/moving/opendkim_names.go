package moving

import "strings"

// what says what becomes of each setting of opendkim.conf(5) that is not read: why it has no counterpart, or what to use in its place.
// Those that are read have an empty text.
var what = map[string]string{
	"AuthservID": "", "BaseDirectory": "", "Canonicalization": "", "Domain": "", "Include": "", "InternalHosts": "", "KeyFile": "",
	"KeyTable": "", "MaximumSignaturesToVerify": "", "Mode": "", "MultipleSignatures": "", "Nameservers": "", "OmitHeaders": "",
	"OversignHeaders": "", "Selector": "", "SignatureAlgorithm": "", "SignatureTTL": "", "SignHeaders": "", "SigningTable": "", "Socket": "",
	"SubDomains": "", "TrustAnchorFile": "", "UMask": "", "TestPublicKeys": "", "PeerList": "", "ExternalIgnoreList": "", "SenderHeaders": "",

	"AllowSHA1Only":                "Gatepost never takes SHA-1 (RFC 8301 3.1)",
	"AlwaysAddARHeader":            "Gatepost always adds Authentication-Results",
	"AuthservIDWithJobID":          unneeded,
	"AutoRestart":                  service,
	"AutoRestartCount":             service,
	"AutoRestartRate":              service,
	"Background":                   service,
	"BodyLengthDB":                 "Gatepost never signs with l=: others could append to such a message (RFC 6376 8.2)",
	"BogusKey":                     none,
	"CaptureUnknownErrors":         none,
	"ChangeRootDirectory":          service,
	"ClockDrift":                   none,
	"DiagnosticDirectory":          "Gatepost says in its log and in Authentication-Results why a signature fails",
	"Diagnostics":                  none,
	"DisableCryptoInit":            unneeded,
	"DNSConnect":                   unneeded,
	"DNSTimeout":                   "limits.time bounds DNS for a message",
	"DomainKeysCompat":             "DomainKeys is history",
	"DontSignMailTo":               none,
	"EnableCoredumps":              service,
	"ExemptDomains":                none,
	"FinalPolicyScript":            script,
	"FixCRLF":                      unneeded,
	"IdentityHeader":               "Gatepost sets no i=",
	"IdentityHeaderRemove":         "Gatepost sets no i=",
	"IgnoreMalformedMail":          none,
	"KeepAuthResults":              none,
	"KeepTemporaryFiles":           unneeded,
	"LogResults":                   "Gatepost logs the results of each message",
	"LogWhy":                       "Gatepost logs the reasons of each message",
	"MacroList":                    "trust_authenticated and own_networks say whose mail is ours",
	"MaximumHeaders":               "limits.header_bytes",
	"MaximumSignedBytes":           "Gatepost always signs the whole body",
	"MilterDebug":                  "log.level",
	"Minimum":                      "Gatepost reports what a signature with l= leaves out",
	"MinimumKeyBits":               "Gatepost takes RSA keys with 1024 bits at least (RFC 8301 3.2)",
	"MTA":                          "trust_authenticated and own_networks say whose mail is ours",
	"MTACommand":                   "Gatepost runs no program to send mail",
	"MustBeSigned":                 none,
	"NoHeaderB":                    unneeded,
	"PidFile":                      service,
	"POPDBFile":                    "POP before SMTP is history: let users log in",
	"Quarantine":                   "the policy says what becomes of a message",
	"QueryCache":                   "Gatepost always has a cache",
	"RedirectFailuresTo":           "the policy says what becomes of a message",
	"RemoveARAll":                  none,
	"RemoveARFrom":                 "Gatepost removes fields that bear its own authserv_id",
	"RemoveOldSignatures":          "Gatepost never removes a signature",
	"ReplaceHeaders":               none,
	"ReplaceRules":                 none,
	"ReportAddress":                none,
	"ReportBccAddress":             none,
	"RequestReports":               none,
	"RequiredHeaders":              none,
	"RequireSafeKeys":              "Gatepost always refuses keys that others may read",
	"ResignAll":                    none,
	"ResignMailTo":                 none,
	"ResolverConfiguration":        "resolver.servers",
	"ResolverTracing":              unneeded,
	"ScreenPolicyScript":           script,
	"SelectCanonicalizationHeader": none,
	"SelectorHeader":               none,
	"SelectorHeaderRemove":         none,
	"SenderMacro":                  none,
	"SendReports":                  none,
	"SetupPolicyScript":            script,
	"SignHeadersFrom":              none,
	"SMTPURI":                      "Gatepost runs no program to send mail",
	"SoftStart":                    unneeded,
	"SoftwareHeader":               "Gatepost adds no field about itself",
	"StatisticsPolicyScript":       script,
	"Statistics":                   statistics,
	"StatisticsName":               statistics,
	"StatisticsPrefix":             statistics,
	"StrictHeaders":                none,
	"StrictTestMode":               unneeded,
	"Syslog":                       "Gatepost logs to standard error, which systemd keeps",
	"SyslogFacility":               "Gatepost logs to standard error, which systemd keeps",
	"SyslogName":                   "Gatepost logs to standard error, which systemd keeps",
	"SyslogSuccess":                "Gatepost logs every message",
	"TemporaryDirectory":           unneeded,
	"TestDNSData":                  "resolver.zone answers from a master file",
	"TrustSignaturesFrom":          none,
	"UnprotectedKey":               none,
	"UnprotectedPolicy":            none,
	"UserID":                       service,
	"WeakSyntaxChecks":             none,
	"ADSPAction":                   "ADSP is history; DMARC is in its place",
	"ADSPNoSuchDomain":             "ADSP is history; DMARC is in its place",
	"LocalADSP":                    "ADSP is history; DMARC is in its place",
	"SendADSPReports":              "ADSP is history; DMARC is in its place",
	"ATPSDomains":                  none,
	"ATPSHashAlgorithm":            none,
	"AddAllSignatureResults":       "Gatepost reports every signature",
	"MultipleResults":              "Gatepost reports every signature",
	"VBR-Certifiers":               none,
	"VBR-PurgeFields":              none,
	"VBR-TrustedCertifiers":        none,
	"VBR-TrustedCertifiersOnly":    none,
	"VBR-Type":                     none,
	"LDAPAuthMechanism":            ldap, "LDAPAuthName": ldap, "LDAPAuthRealm": ldap, "LDAPAuthUser": ldap, "LDAPBindPassword": ldap,
	"LDAPBindUser": ldap, "LDAPDisableCache": ldap, "LDAPKeepaliveIdle": ldap, "LDAPKeepaliveInterval": ldap, "LDAPKeepaliveProbes": ldap,
	"LDAPTimeout": ldap, "LDAPUseTLS": ldap, "LDAPSoftStart": ldap,
	"BypassUnauthenticated": none, "RateLimits": none, "FlowData": none, "FlowDataTTL": none, "FlowDataFactor": none, "NoReputation": none,
	"Reputation": none, "ReputationCache": none, "ReputationCacheTTL": none, "ReputationDuplicates": none, "ReputationLimits": none,
	"ReputationLimitModifiers": none, "ReputationLowTime": none, "ReputationMinimum": none, "ReputationQuery": none,
	"ReputationRatios": none, "ReputationSpamCheck": none, "ReputationTest": none, "ReputationTimeFactor": none, "ReputationTimeout": none,
	"RBLDomain": none, "StatisticsServer": statistics, "NoDiscardableMailTo": none, "On-BadSignature": onError, "On-Default": onError,
	"On-DNSError": onError, "On-InternalError": onError, "On-KeyNotFound": onError, "On-NoSignature": onError, "On-PolicyError": onError,
	"On-Security": onError, "On-SignatureError": onError, "On-SignatureMissing": onError,
}

const (
	none       = "Gatepost has no counterpart"
	unneeded   = "Gatepost does not need it"
	service    = "systemd, or whatever starts Gatepost, sees to it"
	script     = "Gatepost has no scripts; rules of the policy may do what it does"
	statistics = "Gatepost keeps observations of its own"
	ldap       = "Gatepost asks no LDAP server"
	onError    = "the policy says what becomes of a message"
)

var byLower = func() map[string]string {
	m := map[string]string{}
	for name := range what {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// canonicalName spells a setting as opendkim.conf(5) does; empty if there is no such setting.
func canonicalName(name string) string { return byLower[strings.ToLower(name)] }
