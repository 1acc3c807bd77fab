# Signs and verifies with Mail::DKIM: a batch of requests on standard input, their responses on standard output, as JSON.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS::RR;

my $batch = decode_json(do { local $/; <STDIN> });

# Answers from the batch in place of the network.
{
	no warnings 'redefine';
	*Mail::DKIM::DNS::query = sub {
		my ($name) = @_;
		my $text = $batch->{dns}{$name};
		$@ = defined $text ? '' : 'NXDOMAIN';
		return defined $text ? Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [unpack '(a255)*', $text]) : ();
	};
}

my ($pem) = $batch->{keys}{'rsa-sha256'} // '';
$pem =~ s/-----[^-]*-----|\s//g;

sub feed {
	my ($dkim, $message) = @_;
	$dkim->PRINT($message);
	$dkim->CLOSE;
}

my %operations = (
	verify => sub {
		my ($request, $message) = @_;
		my $v = Mail::DKIM::Verifier->new;
		feed($v, $message);
		return {results => [map { $_->result eq 'pass' || $_->result eq 'fail' ? $_->result : $_->result_detail } $v->signatures]};
	},
	sign => sub {
		my ($request, $message) = @_;
		my $s = Mail::DKIM::Signer->new(
			Algorithm => $request->{algorithm}, Method => $request->{canonicalization}, Domain => $request->{domain},
			Selector => $request->{selector}, Key => Mail::DKIM::PrivateKey->load(Data => $pem),
			Headers => join(':', @{$request->{headers}}));
		feed($s, $message);
		return {fields => encode_base64($s->signature->as_string . "\r\n", '')};
	},
	'arc-verify' => sub {
		my ($request, $message) = @_;
		my $v = Mail::DKIM::ARC::Verifier->new;
		feed($v, $message);
		return {results => [$v->result], error => $v->result_detail};
	},
	'arc-sign' => sub {
		my ($request, $message) = @_;
		my $s = Mail::DKIM::ARC::Signer->new(
			Algorithm => 'rsa-sha256', Chain => 'ar', Domain => $request->{domain}, Selector => $request->{selector},
			SrvId => $request->{authserv_id}, Key => Mail::DKIM::PrivateKey->load(Data => $pem),
			Headers => join(':', @{$request->{headers}}));
		feed($s, $message);
		die $s->result . ': ' . ($s->{details} // '') . "\n" if $s->result ne 'sealed';
		return {fields => encode_base64(join('', map { "$_\r\n" } $s->as_strings), '')};
	},
);

my @responses;
for my $request (@{$batch->{requests}}) {
	my $response = eval { $operations{$request->{op}}->($request, decode_base64($request->{message})) };
	push @responses, $response // {error => "$@"};
}
print encode_json(\@responses);
