#!/usr/bin/perl
# Net::LDAP (its own LDAP in Perl) against the directory at a URI: net_ldap.pl URI.
use strict;
use warnings;
use Net::LDAP;
use Net::LDAP::Constant qw(LDAP_CONTROL_PAGED);
use Net::LDAP::Control::Paged;
use Net::LDAP::Extension::SetPassword;
use Net::LDAP::Extension::WhoAmI;

my $base = 'dc=example,dc=com';
my $people = "ou=people,$base";
my $new = "uid=added,$people";
$| = 1;

sub step { my ($name, @said) = @_; print "$name: ", join(' ', @said), "\n"; }

sub connected {
  my ($name, $password) = @_;
  my $ldap = Net::LDAP->new($ARGV[0]) or die "cannot connect\n";
  return $ldap unless defined $name;
  my $told = $ldap->bind($name, password => $password);
  return wantarray ? ($ldap, $told->code) : $ldap;
}

sub found {
  my ($ldap, %how) = @_;
  my $told = $ldap->search(%how);
  my @entries = map {
    my $entry = $_;
    $entry->dn . '{' . join(';', map { "$_=" . join(',', sort $entry->get_value($_)) } sort $entry->attributes) . '}'
  } $told->entries;
  return ($told->code, sort @entries);
}

sub pages {
  my ($ldap, $size) = @_;
  my $page = Net::LDAP::Control::Paged->new(size => $size);
  my @sizes;
  while (1) {
    my $told = $ldap->search(base => $base, filter => '(uid=user*)', attrs => ['uid'], control => [$page]);
    return ('code', $told->code) if $told->code;
    push @sizes, scalar $told->entries;
    my ($answer) = $told->control(LDAP_CONTROL_PAGED) or last;
    my $cookie = $answer->cookie or last;
    $page->cookie($cookie);
  }
  return @sizes;
}

step('dse', found(connected(), base => '', scope => 'base', filter => '(objectClass=*)', attrs => ['namingContexts']));
step('refused', (connected("cn=admin,$base", 'wrong'))[1]);
step('refused user', (connected("uid=user1,$people", 'wrong'))[1]);
my $admin = connected("cn=admin,$base", $ENV{DIRECTORY_PASSWORD});
step('whoami', $admin->who_am_i->response);
step('search', found($admin, base => $base, filter => '(|(uid=user2)(uid=user3))', attrs => ['uid', 'cn', 'mail']));
step('one level', found($admin, base => $base, scope => 'one', filter => '(objectClass=*)', attrs => ['ou']));
step('missing', found($admin, base => "ou=missing,$base", filter => '(uid=x)'));
step('limited', found($admin, base => $base, filter => '(uid=user*)', attrs => ['uid'], sizelimit => 4));
step('pages', pages($admin, 3));
my @attributes = (objectClass => 'inetOrgPerson', uid => 'added', cn => "J\xc3\xbcrgen", sn => 'AB');
step('add', $admin->add($new, attrs => [@attributes])->code);
step('add again', $admin->add($new, attrs => [@attributes])->code);
step('modify', $admin->modify($new, replace => {cn => 'Changed'}, add => {mail => ['a@b', 'c@d']})->code);
step('modified', found($admin, base => $new, scope => 'base', filter => '(objectClass=*)'));
step('true', $admin->compare($new, attr => 'cn', value => 'Changed')->code);
step('false', $admin->compare($new, attr => 'cn', value => 'Other')->code);
step('rename', $admin->moddn($new, newrdn => 'uid=renamed', deleteoldrdn => 1)->code);
step('password', $admin->set_password(user => "uid=user5,$people", newpasswd => 'changed')->code);
step('new password', (connected("uid=user5,$people", 'changed'))[1]);
my $user = connected("uid=user1,$people", 'password1');
step('user', $user->who_am_i->response);
step('pages of the user', pages($user, 4));
step('write of the user', $user->modify("uid=renamed,$people", replace => {cn => 'x'})->code);
step('rebind', $user->bind("uid=user2,$people", password => 'password2')->code, $user->who_am_i->response);
step('delete', $admin->delete("uid=renamed,$people")->code);
step('delete again', $admin->delete("uid=renamed,$people")->code);
$_->unbind for $admin, $user;
